import type { SchemaIssue, SchemaResult, StandardSchema } from '../../contract/standard-schema.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import {
  copyOf,
  handOut,
  type IsolatedValue,
  type Isolation,
  isCopyable,
  isolate,
  isReference,
} from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/** What one caller is given for a value, or why the value does not fit. */
export type Finding =
  | { readonly fits: true; readonly output: unknown }
  | { readonly fits: false; readonly issues: readonly SchemaIssue[] }

/** What a schema makes of a value for all callers. */
type Verdict =
  | { readonly fits: true; readonly outputs: Outputs }
  | { readonly fits: false; readonly issues: readonly SchemaIssue[] }

/** Outputs of one value. */
interface Outputs {
  /** `undefined` where each caller is given one of its own making. */
  readonly isolated: IsolatedValue | undefined
  /** What every caller gets, where all get the same. */
  readonly answer: Promise<unknown> | undefined
}

/**
 * What a schema makes of the values of a cache, which are its input. It is worked out once for each value that stays
 * as it is: a frozen one, or whatever is kept locally.
 *
 * Outputs are handed out as all values are: deeply frozen, or a copy for each caller. Where they can be neither (a
 * transform makes an instance of a class of the program), the value is validated for each caller.
 */
export class SchemaValidation {
  readonly #schema: StandardSchema['~standard']
  readonly #isolation: Isolation
  /** By the value, where it stays as it is, or by the entry that keeps it. */
  readonly #verdicts = new WeakMap<object, Verdict | Promise<Verdict>>()

  /** @throws CacheError `CACHE_INVALID_OPTIONS` where it is no Standard Schema */
  constructor(schema: StandardSchema, isolation: Isolation) {
    const standard = (schema as StandardSchema | undefined)?.['~standard']
    if (standard?.version !== 1 || typeof standard.validate !== 'function') {
      throw new CacheError('CACHE_INVALID_OPTIONS', 'schema must be a Standard Schema, version 1')
    }
    this.#schema = standard
    this.#isolation = isolation
  }

  /**
   * The schema's own answer. Schemas may change what they are given (or fail to, where it is frozen): they get a copy,
   * where one can be made.
   * @throws what the schema throws
   */
  check(value: unknown): SchemaResult<unknown> | Promise<SchemaResult<unknown>> {
    return this.#schema.validate(isCopyable(value) ? copyOf(value) : value)
  }

  /** The output of an entry whose value is known to fit, for one caller; `undefined` where it has to be worked out. */
  known(entry: LocalEntry): Promise<unknown> | undefined {
    const verdict = this.#verdicts.get(subjectOf(entry))
    if (verdict === undefined || isPending(verdict) || !verdict.fits) return undefined
    const { answer, isolated } = verdict.outputs
    return answer ?? (isolated && Promise.resolve(handOut(isolated)))
  }

  /** The output of an entry for one caller. @throws what the schema throws */
  async ofEntry(entry: LocalEntry): Promise<Finding> {
    return this.#given(entry.value, await this.#judge(entry.value, subjectOf(entry)))
  }

  /** The output of a value that the cache has handed out, for one caller. @throws what the schema throws */
  async of(value: unknown): Promise<Finding> {
    const isConstant = isReference(value) && Object.isFrozen(value)
    return this.#given(value, await this.#judge(value, isConstant ? value : undefined))
  }

  /** Whether a value fits that is the cache's own, and stays as it is. What the schema throws at, does not. */
  readonly accepts = (value: unknown): boolean | Promise<boolean> => {
    try {
      const verdict = this.#judge(value, isReference(value) ? value : undefined)
      if (!isPending(verdict)) return verdict.fits
      return verdict.then(
        ({ fits }) => fits,
        () => false,
      )
    } catch {
      return false
    }
  }

  async #given(value: unknown, verdict: Verdict): Promise<Finding> {
    if (!verdict.fits) return verdict
    const { isolated } = verdict.outputs
    if (isolated !== undefined) return { fits: true, output: handOut(isolated) }
    const result = await this.check(value)
    return result.issues === undefined
      ? { fits: true, output: result.value }
      : { fits: false, issues: result.issues }
  }

  /** @param subject what the verdict is remembered by */
  #judge(value: unknown, subject: object | undefined): Verdict | Promise<Verdict> {
    const known = subject && this.#verdicts.get(subject)
    if (known !== undefined) return known
    const result = this.check(value)
    if (!isPending(result)) {
      const verdict = this.#verdictOf(result)
      if (subject !== undefined) this.#verdicts.set(subject, verdict)
      return verdict
    }
    const judging = result.then((settled) => this.#verdictOf(settled))
    if (subject === undefined) return judging
    this.#verdicts.set(subject, judging)
    judging.then(
      (verdict) => this.#verdicts.set(subject, verdict),
      () => this.#verdicts.delete(subject),
    )
    return judging
  }

  #verdictOf(result: SchemaResult<unknown>): Verdict {
    if (result.issues !== undefined) return { fits: false, issues: result.issues }
    const isolated = isolate(result.value, this.#isolation)
    if (isolated.isCloned && !isCopyable(isolated.value)) {
      return { fits: true, outputs: { isolated: undefined, answer: undefined } }
    }
    const answer = isolated.isCloned ? undefined : Promise.resolve(isolated.value)
    return { fits: true, outputs: { isolated, answer } }
  }
}

/** Whether a schema (or what follows from its answer) is asynchronous, by whatever promises. */
export function isPending<T extends object>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as { readonly then?: unknown }).then === 'function'
}

/** What the verdict on an entry is remembered by: its value, which is the cache's own or frozen, or itself. */
function subjectOf(entry: LocalEntry): object {
  const { value } = entry
  return isReference(value) ? value : entry
}
