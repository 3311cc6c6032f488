-- string.gsub calls the function that calls it: the C stack overflows.
local function dive(text)
  return (text:gsub(".", dive))
end

return dive("x")
