-- expect: ok
-- Closures: numbers as functions, parser combinators, memo tables.
local function zero() return function(x) return x end end
local function succ(n)
    return function(f) return function(x) return f(n(f)(x)) end end
end
local function number(n)
    return n(function(x) return x + 1 end)(0)
end
local function church(n)
    local c = zero
    for _ = 1, n do c = succ(c) end
    return c
end
local function mul(a, b) return function(f) return a(b(f)) end end
assert(number(mul(church(6), church(7))) == 42)

-- A calculator of combinators: a parser is a closure (text, at) -> value, at.
local function token(pattern, convert)
    return function(text, at)
        local s, e = text:find("^%s*" .. pattern, at)
        if not s then return nil, at end
        local word = text:sub(s, e):match("^%s*(.*)$")
        return convert and convert(word) or word, e + 1
    end
end
local function either(a, b)
    return function(text, at)
        local value, after = a(text, at)
        if value ~= nil then return value, after end
        return b(text, at)
    end
end
local function chain(operand, operator, apply)
    return function(text, at)
        local left
        left, at = operand(text, at)
        while left ~= nil do
            local op, after = operator(text, at)
            if op == nil then break end
            local right
            right, at = operand(text, after)
            left = apply[op](left, right)
        end
        return left, at
    end
end
local apply = {["+"] = function(a, b) return a + b end,
               ["-"] = function(a, b) return a - b end,
               ["*"] = function(a, b) return a * b end,
               ["/"] = function(a, b) return a // b end}
local sum
local function group(text, at)
    local open, inside = token("%(")(text, at)
    if open == nil then return nil, at end
    local value, after = sum(text, inside)
    return value, select(2, token("%)")(text, after))
end
local factor = either(token("%d+", math.tointeger), group)
local product = chain(factor, token("[*/]"), apply)
sum = chain(product, token("[-+]"), apply)
assert(sum("2 * (3 + 4) * 3 - 10 / 2", 1) == 37)
for i = 1, 2000 do
    assert(sum("(" .. i .. " + 1) * " .. i, 1) == (i + 1) * i)
end

local function memo(f)
    local known = {}
    return function(n)
        if known[n] == nil then known[n] = f(n) end
        return known[n]
    end
end
local fib
fib = memo(function(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end)
assert(fib(80) == 23416728348467685)

local composed = function(x) return x end
for i = 1, 150 do
    local inner = composed
    composed = function(x) return inner(x) + i end
end
print("closures: fib(80) = " .. fib(80) .. ", composed(0) = " .. composed(0))
assert(composed(0) == 150 * 151 // 2)
