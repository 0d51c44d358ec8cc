-- Prolongs a lease that is still held. Writes, and so wakes those who wait, only when less than half is left.
-- KEYS[1]  the entry
-- ARGV[1]  token
-- ARGV[2]  length of the lease in milliseconds
-- Returns  1, or 0 where the key no longer bears the token
if redis.replicate_commands then
  redis.replicate_commands()
end
local key, lease = KEYS[1], tonumber(ARGV[2])
local head = redis.pcall('GETRANGE', key, 0, 41)
if type(head) == 'table' or string.sub(head, 13, 28) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (tonumber(string.sub(head, 29, 42)) or 0) - now < lease / 2 then
  redis.call('SETRANGE', key, 28, string.format('%014.0f', now + lease))
  if string.byte(head, 1) == 2 then
    redis.call('PEXPIRE', key, lease)
  end
end
return 1
