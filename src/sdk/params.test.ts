import { expect, test } from "vitest";
import { param, parseParams } from "./params.ts";

const declared = Object.entries({
  top: param.int(3, "how many"),
  share: param.number(0.5),
  word: param.string("x"),
  loud: param.flag("shout"),
}).map(([name, one]) => ({ ...one, name }));

test("gives every parameter its text's value, or its default", () => {
  expect(parseParams(declared, {})).toEqual({ top: 3, share: 0.5, word: "x", loud: false });
  const given = { top: "-7", share: "1e3", word: "", loud: "true" };
  expect(parseParams(declared, given)).toEqual({ top: -7, share: 1000, word: "", loud: true });
  expect(parseParams(declared, { top: 9, loud: true })).toMatchObject({ top: 9, loud: true });
});

test.each([
  ["topp", "1", 'the job has no parameter "topp"; it has: top, share, word, loud'],
  ["__proto__", "1", "no parameter"],
  ["top", "1.5", 'parameter "top" wants an integer, not "1.5"'],
  ["top", "", "wants an integer"],
  ["top", "many", "wants an integer"],
  ["share", "NaN", "wants a number"],
  ["share", "Infinity", "wants a number"],
  ["loud", "yes", "wants true or false"],
])("refuses --%s %j and says why", (name, value, message) => {
  const given = Object.fromEntries([[name, value]]);
  expect(() => parseParams(declared, given)).toThrow(
    expect.objectContaining({ code: "job-param", message: expect.stringContaining(message) }),
  );
});
