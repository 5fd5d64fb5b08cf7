/* Tests that speak TAP, and waiting with a deadline. */
import { setTimeout as delay } from 'node:timers/promises';

let count = 0;

/* Run one test; name is the promise it keeps. */
export async function test(name, body) {
  let error;

  await body().catch((thrown) => error = thrown);
  console.log(`${error ? 'not ok' : 'ok'} ${++count} - ${name}`);
  if (error) {
    console.log(String(error.stack).replace(/^/gm, '# '));
    process.exitCode = 1;
  }
}

export function plan() {
  console.log(`1..${count}`);
}

/* Wait until condition() gives something true, and return that; what says what never came. */
export async function until(what, condition, deadlineMs = 90000) {
  const deadline = Date.now() + deadlineMs;

  for (;;) {
    const value = await condition();

    if (value)
      return value;
    if (Date.now() > deadline)
      throw new Error(`waited ${deadlineMs / 1000} s for: ${what}`);
    await delay(50);
  }
}
