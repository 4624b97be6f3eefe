/** What the call was refused with; throws when it was not. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  const answer = await call.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (answer === undefined) throw new Error("the call was not refused");
  return answer;
}
