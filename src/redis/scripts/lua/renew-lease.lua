-- Extends a lease that is still held. Every write invalidates the key and so wakes the waiting processes; therefore it
-- writes only when less than half of the lease is left.
-- KEYS[1]  the entry
-- ARGV[1]  token
-- ARGV[2]  duration of the lease in milliseconds
-- Returns  1, or 0 if the key no longer holds the token
-- GETEX reads the key without tracking it. After a tracked read, Redis would push this process an invalidation for its
-- own fill, and the process would not keep the entry.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key, lease = KEYS[1], tonumber(ARGV[2])
local current = redis.pcall('GETEX', key)
if type(current) ~= 'string' or string.sub(current, 13, 28) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (tonumber(string.sub(current, 29, 42)) or 0) - now < lease / 2 then
  redis.call('SETRANGE', key, 28, string.format('%014.0f', now + lease))
  if string.byte(current, 1) == 2 then
    redis.call('PEXPIRE', key, lease)
  end
end
return 1
