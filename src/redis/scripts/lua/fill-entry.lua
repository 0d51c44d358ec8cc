-- Stores a loaded entry if the key still holds what it held before the load began.
-- KEYS[1]  the entry
-- ARGV[1]  what that is: 'lease' = a lease that has not expired; 'reservation' = a placeholder; 'entry' = an entry
-- ARGV[2]  its token, or the stamp of the entry
-- ARGV[3]  the bytes to store
-- ARGV[4]  time to live in milliseconds, '' = none
-- ARGV[5]  channel to publish the change on, '' = publish nothing
-- ARGV[6]  message to publish
-- Returns  1; or 0, having published nothing, if the key no longer holds it
-- GETEX reads the key without tracking it, so this connection gets no invalidation for its own SET. STRLEN at the end
-- makes the connection track the new value.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key, kind, mark = KEYS[1], ARGV[1], ARGV[2]
local current = redis.pcall('GETEX', key)
if type(current) ~= 'string' then
  return 0
end
if kind == 'entry' then
  local isEntry = string.byte(current, 1) == 1 and #current >= 50 and string.byte(current, 2) == 1
    and math.floor(string.byte(current, 8) / 2) % 4 == 3
  if not isEntry or string.sub(current, 43, 50) ~= mark then
    return 0
  end
elseif string.sub(current, 13, 28) ~= mark then
  return 0
elseif kind == 'reservation' then
  if #current ~= 42 or string.byte(current, 1) ~= 2 then
    return 0
  end
else
  local time = redis.call('TIME')
  if (tonumber(string.sub(current, 29, 42)) or 0) < time[1] * 1000 + math.floor(time[2] / 1000) then
    return 0
  end
end
if ARGV[4] == '' then
  redis.call('SET', key, ARGV[3])
else
  redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
end
if ARGV[5] ~= '' then
  redis.pcall('PUBLISH', ARGV[5], ARGV[6])
end
redis.call('STRLEN', key)
return 1
