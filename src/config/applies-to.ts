/** Whether an entry's list of requests means this one. */
export function appliesTo(requests: readonly string[], request: string): boolean {
  return requests.length === 0 || requests.includes(request) || requests.includes(request.split("/", 1)[0] ?? request);
}
