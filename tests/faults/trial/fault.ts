import type { Deployment } from '../deployments/deployment.ts'
import type { Fleet } from '../traffic/fleet.ts'
import type { Mode } from '../traffic/setting.ts'

/** Ends a fault. Resolves when what the fault concerned works again. */
type Heal = () => Promise<unknown>

/** Something that happens to a deployment, or to a process of the fleet. */
export interface Fault<D extends Deployment = Deployment> {
  /** As the table has it. */
  readonly name: string
  /** Starts what it happens to. */
  readonly deploy: () => Promise<D>
  /** Makes it happen. Resolves when it has. */
  strike(deployment: D, fleet: Fleet, lastsMs: number): Promise<Heal>
  /** How long it lasts after that, in seconds: usually, and in a run at full length. */
  readonly seconds: readonly [usually: number, full: number]
  /** Done before the traffic starts. */
  before?(deployment: D, fleet: Fleet): Promise<unknown>
  /** Whether Redis does not answer before the fault has ended. @default false */
  readonly isAwayAtStart?: boolean
  /** Whether attempts to connect get no answer, so that the last of them has to be given up first. @default false */
  readonly isSilentToAttempts?: boolean
  /** Whom it happens to. @default the caches of every mode */
  readonly modes?: readonly Mode[]
  /** Whether a failover may lose what the old primary acknowledged. @default false */
  readonly mayLose?: boolean
  /** Probes that the fault must not concern: none of them is slow, or loaded. @default none */
  healthy?(deployment: D): Promise<(storedKey: string) => boolean>
}

/** A list of faults of one deployment. Their types are checked, and then all of them are of one type. */
export function faultsOf<D extends Deployment>(
  deploy: () => Promise<D>,
  faults: readonly Omit<Fault<D>, 'deploy'>[],
): readonly Fault[] {
  return faults.map((fault) => ({ ...fault, deploy })) as unknown as readonly Fault[]
}
