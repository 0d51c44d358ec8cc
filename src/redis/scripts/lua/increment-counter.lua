-- Adds to a counter. Creates a missing one with its start value, and sets its time to live in the same step.
-- KEYS[1]  the counter
-- ARGV[1]  amount to add, decimal, 64 bits
-- ARGV[2]  start value of a missing counter
-- ARGV[3]  time to live in milliseconds, '' = none
-- ARGV[4]  '1' = also renew the time to live of a counter that existed
-- ARGV[5]  '1' = refuse a count beyond +-(2^53 - 1)
-- ARGV[6]  channel to publish the change on, '' = publish nothing
-- ARGV[7]  message to publish
-- Returns  the count as a string, since a Lua number holds only 53 bits
-- Errors   WRONGTYPE, NOTACOUNTER, OVERFLOW; they leave the counter unchanged
local counter, amount, start, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local head = redis.pcall('GETRANGE', counter, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
  -- A placeholder counts as absent. Removing it revokes the lease of the load in progress.
  redis.call('UNLINK', counter)
end
local created = redis.call('EXISTS', counter) == 0
if created then
  redis.call('SET', counter, start)
end
local reply = redis.pcall('INCRBY', counter, amount)
if type(reply) == 'table' then
  -- Adding 0 succeeds only if the key holds a counter: then the amount was too large.
  local probe = redis.pcall('INCRBY', counter, '0')
  if created then
    redis.call('DEL', counter)
  end
  if type(probe) ~= 'table' then
    return redis.error_reply('OVERFLOW the counter would leave 64 bits')
  end
  if redis.call('TYPE', counter)['ok'] == 'string' then
    return redis.error_reply('NOTACOUNTER the key holds something that is not a 64-bit decimal integer')
  end
  return reply
end
local count = redis.call('GET', counter)
local digits = string.gsub(count, '-', '')
if ARGV[5] == '1' and (#digits > 16 or (#digits == 16 and digits > '9007199254740991')) then
  if created then
    redis.call('DEL', counter)
  else
    redis.call('DECRBY', counter, amount)
  end
  return redis.error_reply('OVERFLOW the counter would pass 2^53 - 1')
end
if ttl ~= '' and (created or ARGV[4] == '1') then
  redis.call('PEXPIRE', counter, ttl)
end
if ttl == '' and not created and ARGV[4] == '1' then
  redis.call('PERSIST', counter)
end
if ARGV[6] ~= '' then
  redis.pcall('PUBLISH', ARGV[6], ARGV[7])
end
return count
