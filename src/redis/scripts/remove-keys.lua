-- Removes keys and counts those that were there; a placeholder was not.
-- KEYS     at most 1,000 keys, of one slot
-- Returns  how many
local removed = 0
for _, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 0)
  local isValue = type(head) == 'table' or head ~= '\2'
  local wasThere = redis.call('UNLINK', key)
  if isValue then
    removed = removed + wasThere
  end
end
return removed
