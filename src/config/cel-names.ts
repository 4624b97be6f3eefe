/** The names in a parsed CEL expression: are its variables, fields and functions all known? */

export type Expr = ReturnType<typeof import("@bufbuild/cel").parse>["expr"];
type Call = Extract<Expr["exprKind"], { case: "callExpr" }>["value"];
type Comprehension = Extract<Expr["exprKind"], { case: "comprehensionExpr" }>["value"];

/** By variable: the fields that it has, or that each of its elements has. Absent: anything may be selected. */
export type Variables = Readonly<
  Record<string, { readonly fields?: readonly string[]; readonly elementFields?: readonly string[] }>
>;
export type Overloads = ReadonlyMap<string, readonly { readonly arity: number; readonly isMethod: boolean }[]>;

/** What the evaluator does itself (cel-spec, operators). */
const OPERATORS: ReadonlySet<string> = new Set([
  "_[_]",
  "_?_:_",
  "_&&_",
  "_||_",
  "@not_strictly_false",
  "__not_strictly_false__",
]);
const TYPES: ReadonlySet<string> = new Set([
  "int",
  "uint",
  "double",
  "bool",
  "string",
  "bytes",
  "list",
  "map",
  "null_type",
  "type",
]);

export interface NameProblems {
  /** One sentence for each name that means nothing to anybody. */
  readonly wrong: readonly string[];
  /** One sentence for each function that we do not have, though others may. */
  readonly unknown: readonly string[];
}

/** What is wrong with the names in an expression. */
export function nameProblems(expr: Expr, variables: Variables, overloads: Overloads): NameProblems {
  const problems = new Set<string>();
  const unknown = new Set<string>();
  const known = (name: string, locals: ReadonlySet<string>): boolean =>
    locals.has(name) || Object.hasOwn(variables, name) || TYPES.has(name);

  const checkFields = (operand: Expr, field: string, locals: ReadonlySet<string>): void => {
    const { exprKind } = operand;
    const isElement = exprKind.case === "callExpr" && exprKind.value.function === "_[_]";
    const base = isElement ? identifier(exprKind.value.args[0]) : identifier(operand);
    if (base === undefined || locals.has(base) || !Object.hasOwn(variables, base)) return;
    const fields = isElement ? variables[base]?.elementFields : variables[base]?.fields;
    if (fields !== undefined && !fields.includes(field)) {
      problems.add(`${base}${isElement ? "[…]" : ""} has no field "${field}", only ${fields.join(", ")}`);
    }
  };

  const checkCall = (call: Call, locals: ReadonlySet<string>): void => {
    const qualified = call.target && qualifiedName(call.target);
    if (qualified !== undefined && !known(root(qualified), locals)) {
      const name = `${qualified}.${call.function}`;
      if (!overloads.has(name)) unknown.add(unknownFunction(name));
    } else {
      if (call.target) walk(call.target, locals);
      if (!OPERATORS.has(call.function)) checkOverload(call);
    }
    for (const argument of call.args) walk(argument, locals);
  };

  const checkOverload = ({ function: name, target, args }: Call): void => {
    const fits = overloads
      .get(name)
      ?.some(({ arity, isMethod }) => arity === args.length && isMethod === (target !== undefined));
    if (!fits) unknown.add(unknownFunction(name));
  };

  const walk = (at: Expr | undefined, locals: ReadonlySet<string>): void => {
    switch (at?.exprKind.case) {
      case "identExpr": {
        const name = root(at.exprKind.value.name);
        if (!known(name, locals))
          problems.add(`"${name}" is not a variable here, only ${Object.keys(variables).join(", ")}`);
        break;
      }
      case "selectExpr": {
        const { operand, field } = at.exprKind.value;
        if (operand) checkFields(operand, field, locals);
        walk(operand, locals);
        break;
      }
      case "callExpr":
        checkCall(at.exprKind.value, locals);
        break;
      case "listExpr":
        for (const element of at.exprKind.value.elements) walk(element, locals);
        break;
      case "structExpr": {
        const { messageName, entries } = at.exprKind.value;
        if (messageName !== "") unknown.add(unknownFunction(`${messageName}{}`));
        for (const entry of entries) {
          if (entry.keyKind.case === "mapKey") walk(entry.keyKind.value, locals);
          walk(entry.value, locals);
        }
        break;
      }
      case "comprehensionExpr": {
        const { iterVar, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = at.exprKind.value;
        walk(iterRange, locals);
        walk(accuInit, locals);
        const inner = new Set([...locals, iterVar, accuVar]);
        for (const part of [loopCondition, loopStep, result]) walk(part, inner);
        break;
      }
    }
  };

  walk(expr, new Set());
  return { wrong: [...problems], unknown: [...unknown] };
}

/**
 * Writes `cel.bind(name, value, body)` as the comprehension that cel-go makes of it: none of its steps run, so the
 * accumulator keeps `value` and the result is `body`.
 */
export function expandBindings(expr: Expr): void {
  visit(expr, (at) => {
    const { exprKind } = at;
    if (exprKind.case !== "callExpr" || exprKind.value.function !== "bind" || exprKind.value.args.length !== 3) return;
    const [variable, accuInit, result] = exprKind.value.args;
    const accuVar = identifier(variable);
    if (identifier(exprKind.value.target) !== "cel" || accuVar === undefined || !variable || !accuInit || !result)
      return;
    const made = (kind: Expr["exprKind"]): Expr => ({ ...variable, exprKind: kind });
    const value: Omit<Comprehension, "$typeName"> = {
      iterVar: "@none",
      iterVar2: "",
      iterRange: made({
        case: "listExpr",
        value: { $typeName: "cel.expr.Expr.CreateList", elements: [], optionalIndices: [] },
      }),
      accuVar,
      accuInit,
      loopCondition: made({
        case: "constExpr",
        value: { $typeName: "cel.expr.Constant", constantKind: { case: "boolValue", value: false } },
      }),
      loopStep: variable,
      result,
    };
    at.exprKind = { case: "comprehensionExpr", value: { $typeName: "cel.expr.Expr.Comprehension", ...value } };
  });
}

function visit(expr: Expr | undefined, each: (at: Expr) => void): void {
  if (expr === undefined) return;
  each(expr);
  for (const part of partsOf(expr)) visit(part, each);
}

function partsOf({ exprKind }: Expr): (Expr | undefined)[] {
  switch (exprKind.case) {
    case "selectExpr":
      return [exprKind.value.operand];
    case "callExpr":
      return [exprKind.value.target, ...exprKind.value.args];
    case "listExpr":
      return exprKind.value.elements;
    case "structExpr":
      return exprKind.value.entries.flatMap((entry) => [
        entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined,
        entry.value,
      ]);
    case "comprehensionExpr": {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return [iterRange, accuInit, loopCondition, loopStep, result];
    }
    default:
      return [];
  }
}

function identifier(expr: Expr | undefined): string | undefined {
  return expr?.exprKind.case === "identExpr" ? expr.exprKind.value.name : undefined;
}

/** `sets` of `sets.contains(…)`, `a.b` of `a.b.c(…)`. */
function qualifiedName(expr: Expr): string | undefined {
  if (expr.exprKind.case !== "selectExpr") return identifier(expr);
  const { operand, field, testOnly } = expr.exprKind.value;
  const before = testOnly || operand === undefined ? undefined : qualifiedName(operand);
  return before && `${before}.${field}`;
}

/** The first part of a qualified name; a leading dot only says that it is absolute. */
function root(name: string): string {
  return name.replace(/^\./, "").split(".", 1)[0] ?? name;
}

function unknownFunction(name: string): string {
  return `"${name}" with these arguments needs the scheduler, netferry cannot evaluate it`;
}
