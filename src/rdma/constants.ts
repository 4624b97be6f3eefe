/** linux/netlink.h, rdma/rdma_netlink.h and rdma/ib_verbs.h, by their names there. */

export const NETLINK_RDMA = 20;

/** The client in the message type: `RDMA_NL_NLDEV << 10 | command`. */
const RDMA_NL_NLDEV = 5;
const CLIENT_SHIFT = 10;

/** The message type of a command of the client NLDEV. */
export function nldev(command: number): number {
  return (RDMA_NL_NLDEV << CLIENT_SHIFT) | command;
}

export const RDMA_NLDEV_CMD_GET = 1;
export const RDMA_NLDEV_CMD_SET = 2;
export const RDMA_NLDEV_CMD_NEWLINK = 3;
export const RDMA_NLDEV_CMD_DELLINK = 4;
export const RDMA_NLDEV_CMD_PORT_GET = 5;
export const RDMA_NLDEV_CMD_SYS_GET = 6;
export const RDMA_NLDEV_CMD_GET_CHARDEV = 15;

export const RDMA_NLDEV_ATTR_DEV_INDEX = 1;
export const RDMA_NLDEV_ATTR_DEV_NAME = 2;
export const RDMA_NLDEV_ATTR_PORT_INDEX = 3;
export const RDMA_NLDEV_ATTR_FW_VERSION = 5;
export const RDMA_NLDEV_ATTR_NODE_GUID = 6;
export const RDMA_NLDEV_ATTR_PORT_STATE = 12;
export const RDMA_NLDEV_ATTR_NDEV_INDEX = 50;
export const RDMA_NLDEV_ATTR_NDEV_NAME = 51;
export const RDMA_NLDEV_ATTR_LINK_TYPE = 65;
export const RDMA_NLDEV_SYS_ATTR_NETNS_MODE = 66;
export const RDMA_NLDEV_ATTR_DEV_PROTOCOL = 67;
export const RDMA_NLDEV_NET_NS_FD = 68;
export const RDMA_NLDEV_ATTR_CHARDEV_TYPE = 69;
export const RDMA_NLDEV_ATTR_CHARDEV_NAME = 70;
export const RDMA_NLDEV_ATTR_CHARDEV = 72;
export const RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID = 73;

/** enum rdma_driver_id of rdma/ib_user_ioctl_verbs.h: those whose devices stand on any netdev. */
export const RDMA_DRIVER_RXE = 14;
export const RDMA_DRIVER_SIW = 18;

/** enum ib_port_state */
export const IB_PORT_STATES = ["NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"] as const;
