-- Sets a new generation, which makes every entry with the old one invalid. A full Redis (maxmemory-policy noeviction)
-- refuses that; then the generation is removed, which has the same effect.
-- KEYS[1]  the generation
-- ARGV[1]  8 random bytes
-- ARGV[2]  its shortest time to live in milliseconds; if more is left of the old one, the new one gets that, since it
--          will be used for entries that live as long
-- ARGV[3]  channel to publish the change on, '' = publish nothing
-- ARGV[4]  message to publish
-- Returns  the new generation, in the form that capture-generation.lua describes, stored or not; sixteen zeros if it is
--          held (hold-key.lua): no entry is valid then, and the hold stays
if redis.replicate_commands then
  redis.replicate_commands()
end
-- 400 days. No cache gives more; a key with more would make Redis refuse the new time to live.
local longest = 34560000000
local time = redis.call('TIME')
local generation = struct.pack('>I4I4', time[1], time[2]) .. ARGV[1]
local ttl = math.min(math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1])), longest)
-- No command that may write comes before the SET: after one, a full Redis would let the script take more memory.
local current = redis.pcall('GETRANGE', KEYS[1], 0, 42)
local reply
if type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\255\255\255\255' then
  generation = string.rep('\0', 16)
  -- Changes nothing, but tells all who watch the key.
  reply = { ok = redis.call('SETRANGE', KEYS[1], 27, '\0') }
else
  reply = redis.pcall('SET', KEYS[1], generation, 'PX', string.format('%.0f', ttl))
end
if reply.err and string.find(reply.err, 'OOM', 1, true) then
  redis.call('UNLINK', KEYS[1])
elseif reply.err then
  return reply
end
if ARGV[3] ~= '' then
  redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return generation
