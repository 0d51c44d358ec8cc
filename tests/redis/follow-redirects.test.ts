import { describe, expect, it } from 'vitest'
import { followRedirects, type RedirectingClient } from '../../src/redis/slots/follow-redirects.ts'
import { parseRedirect } from '../../src/redis/slots/slot-map.ts'

/** What a node answers to the command: an error reply where it begins with a word in capitals, else the result. */
type Answers = Readonly<Record<string, string>>

/** A client of nodes named `host:port`, and what it has sent. */
function clientOf(answers: Answers, dueMs = Number.POSITIVE_INFINITY) {
  const sent: string[] = []
  const owners: string[] = []
  const client: RedirectingClient<string> = {
    dueMs,
    redirectIn: (error) => parseRedirect((error as Error).message, 'asked'),
    nodeFor: (redirect) => {
      if (redirect.isPermanent) owners.push(redirect.address)
      return redirect.address
    },
    send: async (node, [name]) => {
      sent.push(`${name} ${node}`)
      if (name === 'ASKING') return 'OK'
      const answer = answers[node] ?? 'ERR no such node'
      if (/^[A-Z]+ /.test(answer)) throw new Error(answer)
      return answer
    },
  }
  const follow = (refusal: string) =>
    followRedirects(client, new Error(refusal), 'first:1', ['GET', 'key'], 'text')
  return { follow, owners, sent }
}

describe('a redirected command', () => {
  it('goes to the node that MOVED names, which is learned as the owner', async () => {
    const { follow, owners, sent } = clientOf({ 'b:2': 'value' })
    expect(await follow('MOVED 1 b:2')).toBe('value')
    expect(sent).toEqual(['GET b:2'])
    expect(owners).toEqual(['b:2'])
  })

  it('goes to the node that ASK names right after ASKING, and no owner is learned', async () => {
    const { follow, owners, sent } = clientOf({ 'b:2': 'value' })
    expect(await follow('ASK 1 b:2')).toBe('value')
    expect(sent).toEqual(['ASKING b:2', 'GET b:2'])
    expect(owners).toEqual([])
  })

  it('is not sent to another node after its deadline, when its caller has been told that it failed', async () => {
    const { follow, sent } = clientOf({ 'b:2': 'value' }, performance.now() - 1)
    await expect(follow('MOVED 1 b:2')).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
    expect(sent).toEqual([])
  })

  it('follows several redirects, of both kinds', async () => {
    const { follow, sent } = clientOf({ 'b:2': 'ASK 1 c:3', 'c:3': 'value' })
    expect(await follow('MOVED 1 b:2')).toBe('value')
    expect(sent).toEqual(['GET b:2', 'ASKING c:3', 'GET c:3'])
  })

  it('fails after five redirects', async () => {
    const { follow, sent } = clientOf({ 'b:2': 'MOVED 1 c:3', 'c:3': 'MOVED 1 b:2' })
    await expect(follow('MOVED 1 b:2')).rejects.toThrow('MOVED 1 c:3')
    expect(sent).toHaveLength(5)
  })

  it.each(['TRYAGAIN later', 'CLUSTERDOWN for now', 'connection lost'])(
    'is not sent again after another failure: %s',
    async (failure) => {
      const { follow, sent } = clientOf({})
      await expect(follow(failure)).rejects.toThrow(failure)
      expect(sent).toEqual([])
    },
  )
})
