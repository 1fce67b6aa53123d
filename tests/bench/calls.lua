-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
--
-- For wrk: the call that is measured, and one line of numbers for `calls`. wrk counts in
-- whole microseconds; a percentile is placed within one by how many calls fell into it.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"noop"}}'

local function percentile(latency, total, percent)
	local rank, seen = total * percent / 100, 0

	for i = 1, #latency do
		local value, count = latency(i)

		if seen + count >= rank then
			return value + (rank - seen) / count
		end
		seen = seen + count
	end
	return 0
end

function done(summary, latency)
	local errors = summary.errors
	local total = 0

	for i = 1, #latency do
		local _, count = latency(i)

		total = total + count
	end
	io.write(string.format("calls=%d failed=%d p50_us=%.3f p99_us=%.3f\n", summary.requests,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout,
		percentile(latency, total, 50), percentile(latency, total, 99)))
end
