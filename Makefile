# Every command of the project; CONTRIBUTING.md says when to use which.
SWIFT ?= swift
REPLAY = .build/release/replay
export SWIFT_BACKTRACE ?= enable=no
# Every test at once on few cores: the time limits of the last ones would run while they wait for a thread.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 3

.PHONY: deps build release demo test unit sanitize blackbox order kill torture handoff-torture postgres-torture trust soak lint bench bench-data bench-peers bench-live bench-postgres bench-readers fixtures man clean

deps: ## installs the system packages of packages.txt where one is missing
	@scripts/deps.sh

build: deps
	$(SWIFT) build

release: deps
	$(SWIFT) build -c release --product replay

demo: release ## replays a million events, is killed half-way, resumes, goes live
	@python3 scripts/demo.py $(REPLAY)

test: deps lint release .build/python/installed ## everything CI runs
	$(SWIFT) build --build-tests
	$(SWIFT) build -c release --product damage
	python3 -m unittest discover -s Tests/BlackBox -p 'test_*.py' -v
	python3 -m unittest discover -s Tests/Trust -p 'test_*.py' -v
	$(SWIFT) test

sanitize: deps ## the unit tests under AddressSanitizer
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --sanitize=address --scratch-path .build_asan

unit: deps
	$(SWIFT) test

blackbox: release .build/python/installed
	python3 -m unittest discover -s Tests/BlackBox -p 'test_*.py' -v

order: release ## order in functions that write by themselves (EVENTS=n, SEED=n)
	python3 Tests/BlackBox/order.py $(REPLAY) --events $(or $(EVENTS),1000000) --seed $(or $(SEED),1)

.build/python/installed: Tests/BlackBox/requirements.txt
	python3 -m venv .build/python
	.build/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

kill: release ## 200 kill points (POINTS=n, SEED=n)
	python3 Tests/BlackBox/kill.py $(REPLAY) --points $(or $(POINTS),200) --seed $(or $(SEED),1)

torture: handoff-torture postgres-torture trust soak ## all of docs/trust.md, some hours (SEED=n)

handoff-torture: release ## 450 handoff races over dir:, 50 over Kafka's mock cluster; 200 and 60 kills by phase (RUNS=n, KILLS=n, SEED=n)
	$(SWIFT) build -c release --product kafka-mock
	python3 Tests/BlackBox/torture.py $(REPLAY) --runs $(or $(RUNS),450) --seed $(or $(SEED),1)
	python3 Tests/BlackBox/torture.py $(REPLAY) --runs 50 --seed $(or $(SEED),1) --stream kafka \
		--kafka-mock .build/release/kafka-mock
	python3 Tests/BlackBox/live_kills.py $(REPLAY) --kills $(or $(KILLS),200) --seed $(or $(SEED),1)
	python3 Tests/BlackBox/live_kills.py $(REPLAY) --kills 60 --seed $(or $(SEED),1) --stream kafka \
		--kafka-mock .build/release/kafka-mock

postgres-torture: release ## a store in PostgreSQL: 300 crashes of the server, 300 kills, 300 lost answers; 200 takeovers in each store (RUNS=n, SEED=n)
	python3 Tests/BlackBox/postgres_torture.py $(REPLAY) --runs $(or $(RUNS),300) --seed $(or $(SEED),1)
	python3 Tests/BlackBox/postgres_zombies.py $(REPLAY) --runs $(or $(RUNS),200) --seed $(or $(SEED),1)

trust: release .build/python/installed ## kills at every call, I/O errors, lost power, damaged archives, order, bombs, deliberate faults (SEED=n)
	$(SWIFT) build -c release --product damage
	$(SWIFT) build -c release --product sentinel-tool
	python3 Tests/Trust/kill_calls.py $(REPLAY) --points 10000 --jobs 2 --seed $(or $(SEED),1)
	python3 Tests/Trust/io_errors.py $(REPLAY) --errors 2000 --jobs 2 --seed $(or $(SEED),1)
	python3 Tests/Trust/power_loss.py $(REPLAY) --runs 500 --seed $(or $(SEED),1)
	.build/release/damage --runs 100000 --seed $(or $(SEED),1)
	python3 Tests/Trust/order_sentinel.py .build/release/sentinel-tool --seed $(or $(SEED),1)
	python3 Tests/Trust/bombs.py $(REPLAY)
	python3 Tests/Trust/seeded_bugs.py --seed $(or $(SEED),1)

soak: release ## a producer, a follower that is killed again and again, and one that lives (MINUTES=n, SEED=n)
	python3 Tests/Trust/soak.py $(REPLAY) --minutes $(or $(MINUTES),120) --seed $(or $(SEED),1)

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

bench-data: ## archives of 8,000,000 events in .build/bench
	@test -f .build/bench/tally.json || python3 fixtures/generate.py archive --events 8000000 --codec both \
		--out .build/bench --tally .build/bench/tally.json
	@test -f .build/bench/hourly-tally.json || python3 fixtures/generate.py archive --events 8000000 --codec zstd \
		--layout hourly --out .build/bench/hourly --tally .build/bench/hourly-tally.json

bench: release bench-data ## per stage and the whole path (FUNCTION=name, CODEC=gzip, BENCH=more flags)
	$(REPLAY) bench --archive .build/bench/$(or $(CODEC),zstd) --function $(or $(FUNCTION),shade-velocity) $(BENCH)

PEERS = Benchmarks/Peers

.build/peers/installed: $(PEERS)/requirements.txt
	python3 -m venv .build/peers
	.build/peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(PEERS)/requirements.txt
	touch $@

bench-peers: release bench-data .build/peers/installed ## beside DuckDB, chDB, Polars, orjson (ARGS="--rounds 2 --raw PATH")
	python3 $(PEERS)/bench_peers.py $(ARGS)

bench-live: release ## append to row, and catching up from a backlog (ARGS="--rounds 9 --raw PATH")
	$(SWIFT) build -c release --product kafka-mock
	$(SWIFT) build -c release --product kafka-probe
	python3 Benchmarks/Live/bench_live.py $(ARGS)

bench-postgres: release bench-data ## recently-viewed into PostgreSQL beside SQLite, in pairs (ARGS="--rounds 3 --raw PATH")
	python3 Benchmarks/PostgreSQL/bench_postgres.py $(ARGS)

bench-readers: release ## PostgreSQL's readers beside a replay, slowed and not (ARGS="--rounds 5 --raw PATH")
	python3 Benchmarks/PostgreSQL/bench_readers.py $(ARGS)

fixtures:
	python3 fixtures/generate.py fixtures
	python3 fixtures/generate.py check

man: release ## man pages and completions in .build/share
	mkdir -p .build/share/man
	$(REPLAY) manual --out .build/share/man
	for shell in bash zsh fish; do $(REPLAY) --generate-completion-script $$shell > .build/share/replay.$$shell; done

clean:
	rm -rf .build demo
