-- expect: ok
-- Exercises the garbage collector with short-lived trees, then runs a sieve.
local function tree(depth)
    if depth == 0 then return {} end
    return {tree(depth - 1), tree(depth - 1)}
end
local function nodes(t)
    return t[1] and 1 + nodes(t[1]) + nodes(t[2]) or 1
end
local kept, sum = tree(12), 0
for _ = 1, 60 do sum = sum + nodes(tree(9)) end
assert(nodes(kept) == 8191 and sum == 60 * 1023)

local composite, primes = {}, 0
for n = 2, 100000 do
    if not composite[n] then
        primes = primes + 1
        for k = n * n, 100000, n do composite[k] = true end
    end
end
print("trees: " .. sum .. " nodes; sieve: " .. primes .. " primes")
assert(primes == 9592)
