import { systemMs } from '../../foundation/time/timers.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import type { Redirect } from './slot-map.ts'

/** Most redirects that one command follows. */
const MAX_REDIRECTS = 5

/** What {@link followRedirects} needs to know of a cluster and its client. */
export interface RedirectingClient<Node> {
  /** The deadline of the command, by `systemMs`. After it nobody awaits the reply, and the command is not sent any more. */
  readonly dueMs: number
  /** The redirect that a failure of a command at `node` stands for; `undefined` ends the loop. */
  redirectIn(error: unknown, node: Node): Redirect | undefined
  /**
   * The node that a redirect names, ready to be sent commands. After a MOVED, also learns the new owner of the slot.
   * @param from the node that answered with the redirect
   */
  nodeFor(redirect: Redirect, from: Node): Node | Promise<Node>
  send(node: Node, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
}

/**
 * Sends a command again to the node that a MOVED or ASK reply names, and follows at most five redirects.
 *
 * A node that redirects a command has not executed it. Every other failure is thrown, so no command is sent twice that
 * may have been executed.
 * @param error the failure of the command at `node`
 */
export async function followRedirects<Node>(
  client: RedirectingClient<Node>,
  error: unknown,
  node: Node,
  command: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  let failure = error
  let target = node
  for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
    const redirect = client.redirectIn(failure, target)
    if (redirect === undefined) break
    target = await client.nodeFor(redirect, target)
    if (systemMs() > client.dueMs) throw unavailable('redirected too late')
    try {
      // ASKING applies to the next command of the connection. Both are written in this tick, so none comes between.
      if (!redirect.isPermanent) client.send(target, ['ASKING'], 'text').catch(() => {})
      return await client.send(target, command, form)
    } catch (next) {
      failure = next
    }
  }
  throw failure
}
