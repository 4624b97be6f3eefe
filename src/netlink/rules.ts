/** Policy rules: list and change. */

import { NlMessage } from "../../ffi/libnl.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER } from "./ip.ts";
import type { Rule } from "./rule.ts";
import { decodeRule, encodeRule } from "./rule-codec.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Of both families, in the order in which the kernel tries them. */
export function listRules(socket: NetlinkSocket): Rule[] {
  return (["ipv4", "ipv6"] as const).flatMap((family) => {
    const build = () => {
      const header = new Uint8Array(12);
      header[0] = FAMILY_NUMBER[family];
      return new NlMessage(k.RTM_GETRULE, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(header);
    };
    return socket.dump("RTM_GETRULE", `${family} rules`, build, (answer) =>
      answer.type === k.RTM_NEWRULE ? decodeRule(answer.payload) : undefined,
    );
  });
}

/** Throws SysError EEXIST when there is the same rule. */
export function addRule(socket: NetlinkSocket, rule: Rule): void {
  using message = new NlMessage(k.RTM_NEWRULE, k.NLM_F_REQUEST | k.NLM_F_CREATE | k.NLM_F_EXCL);
  encodeRule(rule, message);
  socket.request("RTM_NEWRULE", nameOf(rule), message);
}

/** Throws SysError ENOENT when there is no such rule. */
export function removeRule(socket: NetlinkSocket, rule: Rule): void {
  using message = new NlMessage(k.RTM_DELRULE, k.NLM_F_REQUEST);
  encodeRule(rule, message);
  socket.request("RTM_DELRULE", nameOf(rule), message);
}

function nameOf({ family, priority, table }: Rule): string {
  return `${family} rule ${priority} to table ${table}`;
}
