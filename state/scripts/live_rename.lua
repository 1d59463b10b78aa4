-- Another name of a player. KEYS: player. ARGV: name.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'name', ARGV[1])
end
