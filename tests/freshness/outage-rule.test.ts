import { describe, expect, test } from 'vitest'
import { isOutageByStatus } from '../../src/cache/freshness/outage-rule.ts'
import { defaultPolicies, idOfPolicies, resolvePolicies } from '../../src/cache/freshness/policies.ts'

const withStatus = (status: unknown) => [{ status }, { statusCode: status }, { response: { status } }]

describe('without a rule, the HTTP status of an error decides', () => {
  test.each([400, 401, 403, 404, 410, 422, 451, 499])('%i is an answer', (status) => {
    for (const error of withStatus(status)) expect(isOutageByStatus(error)).toBe(false)
    expect(isOutageByStatus(Object.assign(new Error('gone'), { status }))).toBe(false)
  })

  test.each([408, 425, 429])('%i is an outage, since a later try may succeed', (status) => {
    for (const error of withStatus(status)) expect(isOutageByStatus(error)).toBe(true)
  })

  test.each([0, 200, 301, 399, 500, 503, 599, Number.NaN, '404', null, undefined, [404]])(
    '%s is an outage',
    (status) => {
      for (const error of withStatus(status)) expect(isOutageByStatus(error)).toBe(true)
    },
  )

  test('so is whatever has no status', () => {
    for (const error of [new Error('away'), 'away', 404, null, undefined, Symbol('away'), { response: null }])
      expect(isOutageByStatus(error)).toBe(true)
  })

  test('the first number counts', () => {
    expect(isOutageByStatus({ status: 503, response: { status: 404 } })).toBe(true)
    expect(isOutageByStatus({ status: 'error', statusCode: 404 })).toBe(false)
  })

  test('an error whose getter throws is an outage', () => {
    const error = {
      get status() {
        throw new Error('no status here')
      },
    }
    expect(isOutageByStatus(error)).toBe(true)
  })
})

test('policies with different rules have different ids, and the same rule has the same one', () => {
  const idWith = (when: (error: unknown) => boolean) =>
    idOfPolicies(resolvePolicies({ staleIfError: { for: '1h', when } }, defaultPolicies(1_000)))
  const rule = () => true
  expect(idWith(rule)).toBe(idWith(rule))
  expect(idWith(rule)).not.toBe(idWith(() => true))
  expect(idWith(rule)).not.toBe(idOfPolicies(resolvePolicies({ staleIfError: '1h' }, defaultPolicies(1_000))))
})
