/** Wire constants of generic netlink and its family `ethtool`, named as the kernel's headers name them. */

/** linux/netlink.h, linux/genetlink.h */
export const NETLINK_GENERIC = 16;
export const GENL_ID_CTRL = 16;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;

/** linux/ethtool.h */
export const ETH_SS_PRIV_FLAGS = 2;
export const ETH_SS_FEATURES = 4;

/** linux/ethtool_netlink.h */
export const ETHTOOL_GENL_VERSION = 1;
export const ETHTOOL_MSG_STRSET_GET = 1;
export const ETHTOOL_MSG_FEATURES_GET = 11;
export const ETHTOOL_MSG_FEATURES_SET = 12;
export const ETHTOOL_MSG_PRIVFLAGS_GET = 13;
export const ETHTOOL_MSG_PRIVFLAGS_SET = 14;
export const ETHTOOL_MSG_RINGS_GET = 15;
export const ETHTOOL_MSG_RINGS_SET = 16;
export const ETHTOOL_MSG_CHANNELS_GET = 17;
export const ETHTOOL_MSG_CHANNELS_SET = 18;
export const ETHTOOL_MSG_COALESCE_GET = 19;
export const ETHTOOL_MSG_COALESCE_SET = 20;
export const ETHTOOL_MSG_PAUSE_GET = 21;
export const ETHTOOL_MSG_PAUSE_SET = 22;
/** Of every ETHTOOL_A_*: the nest that names the device. */
export const ETHTOOL_A_FEATURES_HEADER = 1;
export const ETHTOOL_A_HEADER_DEV_INDEX = 1;
export const ETHTOOL_A_HEADER_FLAGS = 3;
export const ETHTOOL_FLAG_COMPACT_BITSETS = 1;
export const ETHTOOL_A_BITSET_SIZE = 2;
export const ETHTOOL_A_BITSET_BITS = 3;
export const ETHTOOL_A_BITSET_VALUE = 4;
export const ETHTOOL_A_BITSET_MASK = 5;
export const ETHTOOL_A_BITSET_BITS_BIT = 1;
export const ETHTOOL_A_BITSET_BIT_NAME = 2;
export const ETHTOOL_A_BITSET_BIT_VALUE = 3;
export const ETHTOOL_A_STRSET_STRINGSETS = 2;
export const ETHTOOL_A_STRINGSETS_STRINGSET = 1;
export const ETHTOOL_A_STRINGSET_ID = 1;
export const ETHTOOL_A_STRINGSET_STRINGS = 3;
export const ETHTOOL_A_STRINGS_STRING = 1;
export const ETHTOOL_A_STRING_INDEX = 1;
export const ETHTOOL_A_STRING_VALUE = 2;
export const ETHTOOL_A_FEATURES_HW = 2;
export const ETHTOOL_A_FEATURES_WANTED = 3;
export const ETHTOOL_A_FEATURES_ACTIVE = 4;
export const ETHTOOL_A_FEATURES_NOCHANGE = 5;
export const ETHTOOL_A_PRIVFLAGS_FLAGS = 2;
