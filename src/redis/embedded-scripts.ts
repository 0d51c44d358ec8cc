// Made by `npm run embed:lua` from the files in scripts/, which hold the comments.

/** scripts/add-to-set.lua */
export const ADD_TO_SET: string = `local set, ttl = KEYS[1], ARGV[1]
local created = redis.call('EXISTS', set) == 0
local added = redis.pcall('SADD', set, unpack(ARGV, 3))
if type(added) == 'table' then
return added
end
if ttl ~= '' and (created or ARGV[2] == '1') then
redis.call('PEXPIRE', set, ttl)
end
if ttl == '' and not created and ARGV[2] == '1' then
redis.call('PERSIST', set)
end
return added`

/** scripts/increment-counter.lua */
export const INCREMENT_COUNTER: string = `local counter, amount, start, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local created = redis.call('EXISTS', counter) == 0
if created then
redis.call('SET', counter, start)
end
local reply = redis.pcall('INCRBY', counter, amount)
if type(reply) == 'table' then
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
return count`
