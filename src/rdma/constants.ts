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
export const RDMA_NLDEV_SYS_ATTR_NETNS_MODE = 66;
export const RDMA_NLDEV_ATTR_DEV_PROTOCOL = 67;
export const RDMA_NLDEV_ATTR_CHARDEV_TYPE = 69;
export const RDMA_NLDEV_ATTR_CHARDEV_NAME = 70;
export const RDMA_NLDEV_ATTR_CHARDEV = 72;

/** enum ib_port_state */
export const IB_PORT_STATES = ["NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"] as const;
