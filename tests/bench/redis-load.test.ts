import { describe, expect, it } from 'vitest'
import { parseInfo, parseRedisLoad } from '../../bench/measure/redis-load.ts'

const INFO = [
  '# Stats',
  'total_net_input_bytes:1200',
  'total_net_output_bytes:5600',
  '',
  '# CPU',
  'used_cpu_sys:0.250000',
  'used_cpu_user:0.500000',
  '',
  '# Commandstats',
  'cmdstat_get:calls=40,usec=80,usec_per_call=2.00,rejected_calls=0,failed_calls=0',
  'cmdstat_info:calls=7,usec=700,usec_per_call=100.00,rejected_calls=0,failed_calls=0',
  'cmdstat_client|tracking:calls=1,usec=3,usec_per_call=3.00,rejected_calls=0,failed_calls=0',
  '',
].join('\r\n')

describe('the load of a server', () => {
  it('is read from INFO, without the INFO commands themselves', () => {
    expect(parseRedisLoad(INFO)).toEqual({
      cpuMicros: 750_000,
      commands: 41,
      bytesReceived: 1200,
      bytesSent: 5600,
    })
  })

  it('is zero for an empty INFO', () => {
    expect(parseRedisLoad('')).toEqual({ cpuMicros: 0, commands: 0, bytesReceived: 0, bytesSent: 0 })
  })

  it('is parsed with the colons in a value kept', () => {
    expect(parseInfo('executable:/a:b\r\n').get('executable')).toBe('/a:b')
  })
})
