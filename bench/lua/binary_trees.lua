-- Many small trees beside a long-lived one: the allocator and the collector.
--
-- SPDX-License-Identifier: MIT
local DEPTH = 13

local function make(depth)
  if depth == 0 then
    return {}
  end
  return {make(depth - 1), make(depth - 1)}
end

local function count(tree)
  if tree[1] == nil then
    return 1
  end
  return 1 + count(tree[1]) + count(tree[2])
end

print("stretch", count(make(DEPTH + 1)))
local kept = make(DEPTH)
for depth = 4, DEPTH, 2 do
  local trees, sum = 1 << (DEPTH - depth + 4), 0
  for _ = 1, trees do
    sum = sum + count(make(depth))
  end
  print(trees, depth, sum)
end
print("kept", count(kept))
