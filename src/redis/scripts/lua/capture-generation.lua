-- Returns the generation under a key. Creates it if there is none, and renews its time to live if less than half is
-- left.
-- KEYS[1]  the generation
-- ARGV[1]  8 random bytes
-- ARGV[2]  time to live in milliseconds
-- Returns  sixteen zeros if the generation is held (hold-key.lua); otherwise
--          the value of the generation (generation-value.ts), 16 or 132 bytes. It is read last, after all writes, so that
--          the connection tracks it.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key = KEYS[1]
local current = redis.pcall('GETEX', key)
if type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\255\255\255\255' then
  redis.call('GET', key)
  return string.rep('\0', 16)
end
if type(current) ~= 'string' or (#current ~= 16 and #current ~= 132) then
  local time = redis.call('TIME')
  redis.call('SET', key, struct.pack('>I4I4', time[1], time[2]) .. ARGV[1], 'PX', ARGV[2])
elseif redis.call('PTTL', key) < tonumber(ARGV[2]) / 2 then
  redis.call('PEXPIRE', key, ARGV[2])
end
return redis.call('GET', key)
