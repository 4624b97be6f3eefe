/**
 * The groups of plain numbers in the `ethtool` family (linux/ethtool_netlink.h): what can be read and written back.
 * Names are those of the header. Flags are u8 and 0 or 1.
 */

import * as e from "./ethtool-constants.ts";

export type SettingsGroup = "rings" | "channels" | "coalesce" | "pause";

interface Setting {
  /** ETHTOOL_A_* */
  readonly attribute: number;
  readonly bytes: 1 | 4;
}

export interface SettingsTable {
  readonly get: number;
  readonly set: number;
  readonly settings: Readonly<Record<string, Setting>>;
}

const u32 = (attribute: number): Setting => ({ attribute, bytes: 4 });
const u8 = (attribute: number): Setting => ({ attribute, bytes: 1 });

export const SETTINGS: Readonly<Record<SettingsGroup, SettingsTable>> = {
  rings: {
    get: e.ETHTOOL_MSG_RINGS_GET,
    set: e.ETHTOOL_MSG_RINGS_SET,
    settings: {
      rx: u32(6),
      rxMini: u32(7),
      rxJumbo: u32(8),
      tx: u32(9),
      rxBufLen: u32(10),
      tcpDataSplit: u8(11),
      cqeSize: u32(12),
      txPush: u8(13),
      rxPush: u8(14),
      txPushBufLen: u32(15),
      hdsThresh: u32(17),
    },
  },
  channels: {
    get: e.ETHTOOL_MSG_CHANNELS_GET,
    set: e.ETHTOOL_MSG_CHANNELS_SET,
    settings: { rx: u32(6), tx: u32(7), other: u32(8), combined: u32(9) },
  },
  coalesce: {
    get: e.ETHTOOL_MSG_COALESCE_GET,
    set: e.ETHTOOL_MSG_COALESCE_SET,
    settings: {
      rxUsecs: u32(2),
      rxMaxFrames: u32(3),
      rxUsecsIrq: u32(4),
      rxMaxFramesIrq: u32(5),
      txUsecs: u32(6),
      txMaxFrames: u32(7),
      txUsecsIrq: u32(8),
      txMaxFramesIrq: u32(9),
      statsBlockUsecs: u32(10),
      useAdaptiveRx: u8(11),
      useAdaptiveTx: u8(12),
      pktRateLow: u32(13),
      rxUsecsLow: u32(14),
      rxMaxFramesLow: u32(15),
      txUsecsLow: u32(16),
      txMaxFramesLow: u32(17),
      pktRateHigh: u32(18),
      rxUsecsHigh: u32(19),
      rxMaxFramesHigh: u32(20),
      txUsecsHigh: u32(21),
      txMaxFramesHigh: u32(22),
      rateSampleInterval: u32(23),
      useCqeModeTx: u8(24),
      useCqeModeRx: u8(25),
      txAggrMaxBytes: u32(26),
      txAggrMaxFrames: u32(27),
      txAggrTimeUsecs: u32(28),
    },
  },
  pause: {
    get: e.ETHTOOL_MSG_PAUSE_GET,
    set: e.ETHTOOL_MSG_PAUSE_SET,
    settings: { autoneg: u8(2), rx: u8(3), tx: u8(4) },
  },
};
