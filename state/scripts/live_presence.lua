-- How players show themselves. KEYS: players. Returns {name, status, sockets, seen} of each.
local shown = {}
for i, player in ipairs(KEYS) do
  shown[i] = redis.call('HMGET', player, 'name', 'status', 'sockets', 'seen')
end
return shown
