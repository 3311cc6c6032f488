-- Calls a native function with a bug.
local function inner()
  crash()
end

local function outer()
  inner()
  return 1
end

outer()
return "never"
