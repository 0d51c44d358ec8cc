-- Extends a lease that is still held. Every write invalidates the key and so wakes the waiting processes; therefore it
-- writes only when less than three fifths of the lease are left.
-- It makes this connection track the key: a process that asks for a lease learns of the next change. A write ends that.
-- KEYS[1]  the entry
-- ARGV[1]  token
-- ARGV[2]  duration of the lease in milliseconds
-- Returns  1, or 0 if the key no longer holds the token
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
if (tonumber(string.sub(head, 29, 42)) or 0) - now < lease * 0.6 then
  redis.call('SETRANGE', key, 28, string.format('%014.0f', now + lease))
  if string.byte(head, 1) == 2 then
    redis.call('PEXPIRE', key, lease)
  end
end
return 1
