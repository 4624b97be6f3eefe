/** One thing that readiness waits for. `message` is a full sentence: what holds, or what is missing and the remedy. */
export interface Condition {
  readonly name: string;
  readonly ready: boolean;
  readonly message: string;
}
