import type { SchemaIssue, SchemaResult, StandardSchema } from '../../contract/standard-schema.ts'
import { refusedOption } from '../../foundation/option-checks.ts'
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

/** The output of a value for one caller, or the issues if it does not fit. */
export type Finding =
  | { readonly fits: true; readonly output: unknown }
  | { readonly fits: false; readonly issues: readonly SchemaIssue[] }

/** The result of validating a value once, for all callers. */
type Judgement =
  | { readonly fits: true; readonly outputs: Outputs }
  | { readonly fits: false; readonly issues: readonly SchemaIssue[] }

/** The outputs of one value. */
interface Outputs {
  /** `undefined` if the value has to be validated for each caller. */
  readonly isolated: IsolatedValue | undefined
  /** The promise that every caller gets, if all get the same output. */
  readonly answer: Promise<unknown> | undefined
}

/**
 * Validates the values of a cache, which are the input of a schema. A value that cannot change, because it is frozen or
 * belongs to a local entry, is validated once.
 *
 * Outputs are handed out as all values are: deeply frozen, or as a copy for each caller. If an output can be neither,
 * because a transform creates an instance of a class of the program, the value is validated for each caller.
 */
export class SchemaValidation {
  readonly #schema: StandardSchema['~standard']
  readonly #isolation: Isolation
  /** By the value if it is an object, or else by the local entry that has it. */
  readonly #judgements = new WeakMap<object, Judgement | Promise<Judgement>>()

  /** @throws CacheError `CACHE_INVALID_OPTIONS` if it is not a Standard Schema */
  constructor(schema: StandardSchema, isolation: Isolation) {
    const standard = (schema as StandardSchema | undefined)?.['~standard']
    if (standard?.version !== 1 || typeof standard.validate !== 'function') {
      throw refusedOption('schema', 'a Standard Schema, version 1', schema)
    }
    this.#schema = standard
    this.#isolation = isolation
  }

  /**
   * The result of the schema itself. A schema may change its argument, or fail because that is frozen, so it gets a
   * copy if one can be made.
   * @throws what the schema throws
   */
  check(value: unknown): SchemaResult<unknown> | Promise<SchemaResult<unknown>> {
    return this.#schema.validate(isCopyable(value) ? copyOf(value) : value)
  }

  /** The output of an entry that is known to fit, for one caller; `undefined` if it has not been validated. */
  known(entry: LocalEntry): Promise<unknown> | undefined {
    const judgement = this.#judgements.get(subjectOf(entry))
    if (judgement === undefined || isPending(judgement) || !judgement.fits) return undefined
    const { answer, isolated } = judgement.outputs
    return answer ?? (isolated && Promise.resolve(handOut(isolated)))
  }

  /** The output of an entry for one caller, without a promise. `undefined` if it takes one, or if the schema throws. */
  atOnce(entry: LocalEntry): Finding | undefined {
    try {
      const judgement = this.#judge(entry.value, subjectOf(entry))
      if (isPending(judgement)) return undefined
      const given = this.#given(entry.value, judgement)
      return isPending(given) ? undefined : given
    } catch {
      return undefined
    }
  }

  /** The output of an entry for one caller. @throws what the schema throws */
  async ofEntry(entry: LocalEntry): Promise<Finding> {
    return this.#given(entry.value, await this.#judge(entry.value, subjectOf(entry)))
  }

  /** The output of a value that the cache handed out, for one caller. @throws what the schema throws */
  async of(value: unknown): Promise<Finding> {
    const isConstant = isReference(value) && Object.isFrozen(value)
    return this.#given(value, await this.#judge(value, isConstant ? value : undefined))
  }

  /** Whether a value of the cache, which does not change, fits. A value that makes the schema throw does not. */
  readonly accepts = (value: unknown): boolean | Promise<boolean> => {
    try {
      const judgement = this.#judge(value, isReference(value) ? value : undefined)
      if (!isPending(judgement)) return judgement.fits
      return judgement.then(
        ({ fits }) => fits,
        () => false,
      )
    } catch {
      return false
    }
  }

  #given(value: unknown, judgement: Judgement): Finding | Promise<Finding> {
    if (!judgement.fits) return judgement
    const { isolated } = judgement.outputs
    if (isolated !== undefined) return { fits: true, output: handOut(isolated) }
    const result = this.check(value)
    return isPending(result) ? result.then(findingOf) : findingOf(result)
  }

  /** @param subject the object by which the result is remembered */
  #judge(value: unknown, subject: object | undefined): Judgement | Promise<Judgement> {
    // The cache remembers that there is no value, of which no schema knows.
    if (value === undefined) return NO_VALUE_FITS
    const known = subject && this.#judgements.get(subject)
    if (known !== undefined) return known
    const result = this.check(value)
    if (!isPending(result)) {
      const judgement = this.#judgementOf(result)
      if (subject !== undefined) this.#judgements.set(subject, judgement)
      return judgement
    }
    const judging = result.then((settled) => this.#judgementOf(settled))
    if (subject === undefined) return judging
    this.#judgements.set(subject, judging)
    judging.then(
      (judgement) => this.#judgements.set(subject, judgement),
      () => this.#judgements.delete(subject),
    )
    return judging
  }

  #judgementOf(result: SchemaResult<unknown>): Judgement {
    if (result.issues !== undefined) return { fits: false, issues: result.issues }
    const isolated = isolate(result.value, this.#isolation)
    if (isolated.isCloned && !isCopyable(isolated.value)) {
      return { fits: true, outputs: { isolated: undefined, answer: undefined } }
    }
    const answer = isolated.isCloned ? undefined : Promise.resolve(isolated.value)
    return { fits: true, outputs: { isolated, answer } }
  }
}

const NO_VALUE_FITS: Judgement = {
  fits: true,
  outputs: { isolated: { value: undefined, isCloned: false }, answer: Promise.resolve(undefined) },
}

/** Whether an answer is a promise of any implementation. */
export function isPending<T extends object>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as { readonly then?: unknown }).then === 'function'
}

/** The object by which the result for an entry is remembered: its value, which does not change, or the entry itself. */
function subjectOf(entry: LocalEntry): object {
  const { value } = entry
  return isReference(value) ? value : entry
}

function findingOf(result: SchemaResult<unknown>): Finding {
  return result.issues === undefined
    ? { fits: true, output: result.value }
    : { fits: false, issues: result.issues }
}
