"""A shard: partition p of every topic, its state, and the only code that changes it.

    batch ─► decode ─► place ─► settle ─► advance ─► evaluate ─► diff ─► commit ─► relay

Everything runs under one lock, so a customer has a single writer. A commit that is refused throws the memory away; the
caller then either forgets the shard (fenced: somebody else has it) or opens it again and seeks back (stale). A shard
whose state has to be made anew is silent meanwhile (`streams.shard.silence`).
"""

import asyncio
import logging
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from schemas.deadletters import MAX_KEY, MAX_RAW, DeadLetter
from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.instants import Duration, Instant
from schemas.names import ANONYMOUS, INPUTS
from schemas.placement import shard_of
from schemas.wire import decode_run
from streams.core.admission import ALLOWED_SKEW, PRICED, admit, profile_id_of
from streams.core.profile import LONG_AGO
from streams.core.step import apply, settle
from streams.shard.customers import Customers
from streams.shard.outcome import Outcome
from streams.shard.port import Clock, Forward, History, Inputs, Record, RecordBatch, Sink, Versions
from streams.shard.relay import Relay
from streams.shard.silence import Silence, hold_back, listen, tell, untold
from streams.shard.sweep import bring_over, judge_in_passing
from streams.state.judging import BEGINNING, Judging
from streams.state.port import Commit, FencedError, Ownership, StaleError, Store, VersionError

log = logging.getLogger(__name__)

PATIENCE = 0.05
"""Seconds that a shard with a backlog waits for a topic that lags."""
ALONE = 1.0
"""Seconds for which it waits for nobody, after that was in vain. What it waits for may be held up behind what another
shard does not take, because that one waits, too: in turns, they would hardly get on."""
LOOK = 0.01
"""Seconds between two looks at how much Kafka has that is not applied yet."""


@dataclass(frozen=True)
class Ports:
    """Everything outside that a shard touches."""

    store: Store
    sink: Sink
    history: History
    inputs: Inputs
    clock: Clock
    """What crossings are measured by."""
    wall: Clock
    """The wall clock, for `emitted_at`."""
    skew: Duration = ALLOWED_SKEW
    """How far in the future an event may lie, by `wall`."""
    beat: Callable[[], int] = lambda: 0
    """A sign of life of the worker: how often it stood still for too long (`streams.shard.pulse`)."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one shard's work."""

    customers: int = 50_000
    """Customers kept in memory; of a worker's limits, over all its shards."""
    batch: int = 2_000
    """Records in one commit: keeps the script call short."""
    dues: int = 1_000
    """Customers settled in one commit."""
    page: int = 100
    """Customers judged anew in one commit of a sweep: some ten milliseconds in which the shard does nothing else."""


@dataclass(eq=False)
class Waiting:
    """A batch that waits for its turn, and how many of its records have been taken."""

    batch: RecordBatch
    taken: int = 0


@dataclass(frozen=True)
class Piece:
    """A run of records of one topic that goes into one commit."""

    topic: str
    start: int
    end: int
    records: Sequence[Record]


@dataclass
class Reading:
    """Records, taken apart."""

    events: list[tuple[Instant, str, AnyEvent]] = field(default_factory=list)
    """When, of whom, what."""
    missing: dict[str, None] = field(default_factory=dict)
    """Customers who are not in memory."""
    forwards: list[Forward] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    latest: dict[str, Instant] = field(default_factory=dict)
    """Input topic -> the latest event time that has been read."""


class Shard:
    """One owned shard. Use `open` before anything else."""

    def __init__(self, number: int, shards: int, versions: Versions, ports: Ports, limits: Limits) -> None:
        """Shard `number` of `shards`."""
        self.number = number
        self._shards = shards
        self._versions = versions
        self._definitions = definitions = versions.latest
        self._judging = self._noted_judging = Judging()
        self._ports = ports
        self._limits = limits
        self._lock = asyncio.Lock()
        self._customers = Customers(number, ports.store, definitions, limits.customers)
        self._relay = Relay(number, ports.sink, self._is_awake)
        self._lapses = 0
        self._owned = Ownership(0, "", {}, 0, 0, [])
        self._commits = 0
        self._silence: Silence | None = None
        self._event_time: dict[str, Instant] = {}
        self._waiting: list[Waiting] = []
        self._closed = False
        self._arrived = asyncio.Event()
        self._lag, self._looked_at, self._alone_until = 0, -LOOK, 0.0
        self.applied = 0
        """Records applied since the shard was opened."""

    @property
    def epoch(self) -> int:
        """The epoch that this worker owns the shard under."""
        return self._owned.epoch

    @property
    def offsets(self) -> dict[str, int]:
        """Input topic -> the offset to read next; what reading is sought to."""
        return dict(self._offsets)

    @property
    def is_silent(self) -> bool:
        """Whether it is catching up with what subscribers know already."""
        return self._silence is not None

    async def open(self) -> None:
        """Take the shard: a new epoch, and whatever was committed but not yet relayed is relayed.

        Raises:
            HistoryError: its state is lost, and cannot be made anew.
        """
        async with self._lock:
            self._lapses = self._ports.beat()
            self._customers.clear()
            self._event_time.clear()
            self._waiting.clear()
            self._owned = await self._ports.store.claim(self.number)
            tail = await self._ports.sink.tail(self.number)
            self._silence = await listen(self.number, self._owned, tail, self._ports.store, self._ports.history)
            if self._silence is not None:
                self._owned = self._silence.owned
            self._commits = 0
            self._mark = self._owned.commit
            self._offsets = dict(self._owned.offsets)
            self._sequence = self._owned.sequence
            await self._take_up_definitions()
            await self._relay.open(self._owned, tail)
            await self._end_silence()

    async def _take_up_definitions(self) -> None:
        """Go on with the version that the state was judged by; the latest takes over from it in its turn.

        It takes over at once where the state is made anew, or was judged by a version that nobody knows any more.

        Raises:
            VersionError: all versions that are known are earlier than that.
        """
        owned = self._owned
        self._judging = self._noted_judging = owned.judging
        version = owned.judging.version or 1  # a state of before versions were written down
        known, latest = await self._versions.find(version), self._versions.latest
        if latest.version < owned.judging.version:
            raise VersionError(
                f"shard {self.number} was judged by version {version} of the definitions, and the latest that there is "
                f"is {latest.version}: the topic was made anew. Publish it again until it has as many: segments apply"
            )
        is_made_anew = self._silence is not None or not owned.commit
        self._definitions = latest if is_made_anew or known is None else known
        if self._definitions.version != version:
            self._judging = Judging(self._definitions.version, LONG_AGO, BEGINNING if owned.commit else None)
        elif not owned.judging.version:
            self._judging = Judging(version)
        self._judge_by_now()

    def _judge_by_now(self) -> None:
        judging = self._judging
        self._customers.judge_by(self._definitions, None if judging.sweep is None else judging.cut_over)

    async def _cut_over(self, now: Instant) -> None:
        """Let the latest version of the definitions take over: nothing is overdue by the one before.

        From this commit on it judges; everybody who is stored is judged anew when touched, or by the sweep.
        """
        latest = self._versions.latest
        self._judging = Judging(latest.version, now, BEGINNING)
        await self._commit_empty()
        self._definitions = latest
        self._judge_by_now()
        log.info("shard %d: version %d of the definitions takes over", self.number, latest.version)

    async def sweep(self) -> bool:
        """Have a page of those who are stored judged by the version that took over; whether there was any to do.

        Raises:
            FencedError: another worker owns the shard.
            StaleError: the store is not where this worker left it.
        """
        async with self._lock:
            cursor, place = self._judging.sweep, (self.epoch, self._mark)
            if self._closed or self._silence is not None or cursor is None:
                return False
            page = await self._ports.store.page(self.number, cursor, self._limits.page, place)
            outcome = Outcome(self.number, self._definitions, self._sequence, self._ports.wall(), in_passing=True)
            left_behind = await self._customers.left_behind(page.ids, place)
            judge_in_passing(left_behind, outcome, self._definitions)
            swept = len(page.ids) + (0 if page.is_first else self._judging.swept)
            self._judging = replace(self._judging, sweep=page.cursor, swept=swept)
            await self._commit(outcome, {})
            if page.cursor is None:
                self._customers.end_sweep()
                log.info("shard %d: all are judged by version %d", self.number, self._definitions.version)
            return True

    async def check(self) -> None:
        """Find out whether the state is still where this worker left it, though there is nothing to commit.

        Raises:
            FencedError: another worker owns the shard.
            StaleError: the store has lost writes, or the state was made anew.
        """
        if not self._lock.locked():  # else it will be found out soon
            async with self._lock:
                await self._ports.store.check(self.number, self.epoch, self._mark)

    @property
    def is_new(self) -> bool:
        """Whether nothing has ever been committed here, and subscribers know nothing of it."""
        return not self._mark and not self._sequence and not self._relay.relayed

    async def read_on(self, offsets: Mapping[str, int]) -> None:
        """Write down that topics are read on from elsewhere than where the state was brought up to.

        Raises:
            FencedError: another worker owns the shard.
            StaleError: the store is not where this worker left it.
        """
        async with self._lock:
            moves = {topic: (self._offsets[topic], offset) for topic, offset in offsets.items()}
            await self._commit(Outcome(self.number, self._definitions, self._sequence, self._ports.wall()), moves)

    async def process(self, *batches: RecordBatch) -> None:
        """Apply batches and commit. One that was read under an earlier ownership is dropped: it will be read again.

        What other topics have waiting by then goes into the same commit, in order of event time: under load there are
        fewer commits, and an order is less often judged before the click that came before it.

        Raises:
            FencedError: another worker owns the shard.
            StaleError: the store is not where this worker left it; open the shard again and seek back.
        """
        ours = [Waiting(batch) for batch in batches]
        self._waiting += ours
        self._arrived.set()
        async with self._lock:
            try:
                while any(waiting in ours for waiting in self._waiting):
                    await self._wait_for_company()
                    pieces = self._pieces()
                    if pieces:
                        await self._process(pieces)
            except BaseException:
                self._waiting.clear()
                raise

    async def _wait_for_company(self) -> None:
        """With a backlog, wait a moment for topics of which nothing has come yet though Kafka has more of them.

        So a log is read in the order in which it was produced, over all topics, and a customer is not taken for one who
        ordered and never came back, only because the topic of the orders is the shortest.
        """
        end = asyncio.get_running_loop().time() + PATIENCE
        while self._has_backlog() and self._is_behind() and not self._is_alone():
            self._arrived.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                self._alone_until = asyncio.get_running_loop().time() + ALONE

    def _is_alone(self) -> bool:
        """Whether it has just been waited in vain."""
        return asyncio.get_running_loop().time() < self._alone_until

    def _has_backlog(self) -> bool:
        """Whether more than a commit's worth of records waits, here or in Kafka; looked at every so often."""
        now = asyncio.get_running_loop().time()
        if now >= self._looked_at + LOOK:
            self._looked_at, self._lag = now, 0
            for topic, offset in self._offsets.items():
                end = self._ports.inputs.end(topic, self.number)
                self._lag += max(0, end - offset) if end is not None else 0
        return self._lag > self._limits.batch or self._backlog() > self._limits.batch

    def _backlog(self) -> int:
        return sum(len(waiting.batch.records) - waiting.taken for waiting in self._waiting)

    def _is_behind(self) -> bool:
        """Whether Kafka has more of a topic of which nothing waits here."""
        here = {waiting.batch.topic for waiting in self._waiting}
        ends = {topic: self._ports.inputs.end(topic, self.number) for topic in INPUTS if topic not in here}
        return any(end is not None and end > self._offsets[topic] for topic, end in ends.items())

    def _pieces(self) -> list[Piece]:
        """What goes into the next commit: of all that waits, as much as fits, what was produced first first."""
        pieces: list[Piece] = []
        cut: set[str] = set()
        room, positions = self._limits.batch, dict(self._offsets)
        horizon = self._horizon() if self._has_backlog() else None
        for waiting in list(self._waiting):
            batch, first = waiting.batch, waiting.taken
            if batch.topic in cut:
                continue
            start = batch.records[first].offset if first else batch.start
            if batch.epoch != self.epoch or start != positions[batch.topic]:
                self._waiting.remove(waiting)
                continue
            last = len(batch.records)
            if horizon is not None:
                last = bisect_right(batch.records, horizon, first, key=_produced_at)
            records = batch.records[first : min(last, first + room)]
            waiting.taken += len(records)
            room -= len(records)
            done = waiting.taken >= len(batch.records)
            if done:
                end = batch.end
                self._waiting.remove(waiting)
            else:
                end = batch.records[waiting.taken].offset
                cut.add(batch.topic)
            if records or done:  # a batch may have no records: the marks that transactions end with are none
                positions[batch.topic] = end
                pieces.append(Piece(batch.topic, start, end, records))
            if room <= 0:
                break
        return pieces

    def _horizon(self) -> int | None:
        """With a backlog: the time of production up to which records are taken now, the first of all at least.

        That is about a commit's worth of them, and nothing later than the last that has come of a topic of which Kafka
        has more. None: all of them.
        """
        waiting = [(row.batch.records, row.taken) for row in self._waiting if row.taken < len(row.batch.records)]
        if not waiting:
            return None
        low = min(_produced_at(records[taken]) for records, taken in waiting)
        high = max(low, min([max(_produced_at(records[-1]) for records, _taken in waiting), *self._edges()]))
        while low < high:
            middle = (low + high + 1) // 2
            count = sum(bisect_right(records, middle, taken, key=_produced_at) - taken for records, taken in waiting)
            if count > self._limits.batch:
                high = middle - 1
            else:
                low = middle
        return low

    def _edges(self) -> list[int]:
        """When the last record was produced that waits of a topic, for topics of which Kafka has more."""
        if self._is_alone():
            return []
        last = {row.batch.topic: row.batch for row in self._waiting if row.batch.epoch == self.epoch}
        ends = {topic: self._ports.inputs.end(topic, self.number) for topic in last}
        return [
            _produced_at(batch.records[-1])
            for topic, batch in last.items()
            if batch.records and (ends[topic] or 0) > batch.end
        ]

    async def _process(self, pieces: list[Piece]) -> None:
        reading = Reading()
        for piece in pieces:
            self._read(piece, reading)
        if reading.letters:
            await self._ports.sink.send_dead_letters(reading.letters)
        if reading.forwards:
            await self._ports.sink.send_forwards(reading.forwards)
        await self._fetch(reading.missing)
        if len(pieces) > 1:
            reading.events.sort(key=itemgetter(0))
        before = self._before(reading)
        outcome = Outcome(self.number, self._definitions, self._sequence, self._ports.wall())
        bring_over(self._customers, outcome, self._definitions)
        entries, touched, definitions = self._customers.entries, outcome.touched, self._definitions
        for _at, profile_id, event in reading.events:
            entry = touched[profile_id] = entries[profile_id]
            transitions = apply(entry.customer, event, definitions)
            if transitions:
                outcome.add(profile_id, transitions)
        offsets: dict[str, tuple[int, int]] = {}
        for piece in pieces:
            offsets[piece.topic] = (offsets.get(piece.topic, (piece.start, 0))[0], piece.end)
        if before is not None:
            told = hold_back(outcome, before, self._sequence)
            await self._ports.store.remember(self.number, self.epoch, told, over=False)
        await self._commit(outcome, offsets)
        self._event_time |= reading.latest
        self.applied += sum(len(piece.records) for piece in pieces)
        await self._end_silence()

    async def _fetch(self, ids: Iterable[str]) -> None:
        await self._customers.fetch(ids, (self.epoch, self._mark))

    def _before(self, reading: Reading) -> dict[str, dict[str, Instant]] | None:
        """In silence: the memberships of those who are about to be touched."""
        if self._silence is None:
            return None
        return {
            profile_id: dict(self._customers.entries[profile_id].customer.since)
            for _at, profile_id, _event in reading.events
        }

    async def _end_silence(self) -> None:
        """Once all is read that may have been applied before: say what is otherwise than subscribers know.

        Raises:
            StaleError: changes of an earlier owner have come to Kafka since the shard was opened.
        """
        if self._silence is None or self._silence.covers(self._offsets):
            return
        tail = await self._ports.sink.tail(self.number)
        if tail > self._sequence:
            raise StaleError(f"shard {self.number}: Kafka has {tail} changes now; this worker counts {self._sequence}")
        differences = self._sequence
        async for group in untold(self.number, self._ports.store, self._limits.dues):
            await self._fetch(group)
            outcome = Outcome(self.number, self._definitions, self._sequence, self._ports.wall())
            bring_over(self._customers, outcome, self._definitions, silent=True)
            for customer, told in group.items():
                tell(outcome, customer, self._customers.entries[customer], told, self._definitions)
            await self._commit(outcome, {})
        await self._ports.store.speak(self.number, self.epoch, self._mark)
        self._silence = None
        log.warning("shard %d: rebuilt; %d differences said", self.number, self._sequence - differences)

    def _read(self, piece: Piece, reading: Reading) -> None:
        """Decode, admit and place each record; nothing that is not a good event of ours gets further."""
        topic, wall, rates, skew = piece.topic, self._ports.wall(), self._definitions.rates, self._ports.skew
        latest, entries, silence = self._event_time.get(topic, LONG_AGO), self._customers.entries, self._silence
        missing, rows = reading.missing, reading.events
        close_look = topic in PRICED
        events = decode_run([record.value or b"" for record in piece.records], topic)
        for record, event in zip(piece.records, events, strict=True):
            if silence is not None and (topic, record.offset) in silence.refused:
                continue
            try:
                if isinstance(event, UndecodableError):
                    raise event
                at = event.occurred_at
                if close_look or at > wall:
                    admit(event, wall, rates, skew)
            except UndecodableError as refusal:
                reading.letters.append(_dead_letter(topic, self.number, record, refusal, wall))
                continue
            profile_id = event.customer_id or profile_id_of(event)
            if profile_id not in entries and profile_id not in missing:
                home = shard_of(profile_id, self._shards)
                if home != self.number:
                    if silence is not None and silence.is_forwarded(topic, record.offset):
                        continue
                    key = profile_id.removeprefix(ANONYMOUS).encode()
                    reading.forwards.append(Forward(home, key, record.value or b""))
                    continue
                missing[profile_id] = None
            rows.append((at, profile_id, event))
            if at > latest:  # noqa: PLR1730 # a tenth of a microsecond less than max()
                latest = at
        reading.latest[topic] = latest

    async def settle_due(self) -> int:
        """Emit the crossings that have come, in order of their instants; how many customers were looked at.

        Raises:
            FencedError: another worker owns the shard.
            StaleError: the store is not where this worker left it.
        """
        async with self._lock:
            self._stay_awake()
            now = None if self._closed or self._silence is not None else self._now()
            if now is None:
                return 0
            rows = await self._ports.store.due(self.number, now, self._limits.dues)
            if not rows:
                if now > LONG_AGO and self._versions.latest.version > self._definitions.version:
                    await self._cut_over(now)
                await self._relay.note(self._commit_empty)
                return 0
            horizon = now if len(rows) < self._limits.dues else rows[-1][1]
            await self._fetch(profile_id for profile_id, _due in rows)
            outcome = Outcome(self.number, self._definitions, self._sequence, self._ports.wall(), horizon)
            bring_over(self._customers, outcome, self._definitions)
            crossings = []
            for profile_id, _due in rows:
                entry = outcome.touched[profile_id] = self._customers.entries[profile_id]
                crossings += [
                    (t.effective_at, profile_id, t) for t in settle(entry.customer, horizon, self._definitions)
                ]
            for _at, profile_id, transition in sorted(crossings, key=lambda row: row[0]):
                outcome.add(profile_id, [transition])
            await self._commit(outcome, {})
            return len(rows)

    def _now(self) -> Instant | None:
        """How far the shard's time has come: the clock, or, while it has records left to read, where it has read to.

        A crossing must not be emitted before the events that came earlier have been read: they might prevent it.
        """
        frontier = self._ports.clock()
        for topic in INPUTS:
            end = self._ports.inputs.end(topic, self.number)
            if end is None:
                return None
            if self._offsets[topic] < end:
                frontier = min(frontier, self._event_time.get(topic, LONG_AGO))
        return frontier

    async def _commit(self, outcome: Outcome, offsets: dict[str, tuple[int, int]]) -> None:
        """Write an outcome, and hand its transitions to the relay."""
        self._commits += 1
        commit = Commit(self.epoch, self._mark, f"{self.epoch}:{self._commits}", offsets)
        commit.sequence = (self._sequence, self._sequence)
        commit.relayed, commit.silent = self._relay.relayed, self._silence is not None
        if self._judging != self._noted_judging:
            commit.judging = self._judging
        try:
            outcome.write_to(commit)
            self._stay_awake()
            await self._ports.store.commit(self.number, commit)
        except BaseException:
            self._customers.clear()
            raise
        self._mark, self._sequence = commit.mark, outcome.sequence
        self._noted_judging = self._judging
        self._relay.noted = commit.relayed
        self._offsets |= {topic: end for topic, (_start, end) in offsets.items()}
        self._customers.trim(() if outcome.in_passing else outcome.touched)
        await self._relay.send(outcome.outbox)

    def _is_awake(self) -> bool:
        """Whether the worker has not stood still since it took the shard for so long that others may have had it."""
        return self._ports.beat() == self._lapses

    def _stay_awake(self) -> None:
        """Do nothing more for a shard that others may have had: the store may have forgotten that they did.

        Raises:
            FencedError: that is so.
        """
        if not self._is_awake():
            raise FencedError(f"shard {self.number}: this worker stood still for longer than others wait for it")

    async def _commit_empty(self) -> None:
        """Note the relayed sequence although nothing else happened, so that the outbox gets empty."""
        await self._commit(Outcome(self.number, self._definitions, self._sequence, self._ports.wall()), {})

    def give_up(self) -> None:
        """Send nothing more to Kafka: the shard is somebody else's now, or is opened anew."""
        self._relay.stop()

    async def close(self) -> None:
        """Commit nothing more, and wait until Kafka has everything that was committed."""
        async with self._lock:
            self._closed = True
            await self._relay.drain()


def _produced_at(record: Record) -> int:
    return record.timestamp or 0


def _dead_letter(topic: str, shard: int, record: Record, refusal: UndecodableError, now: Instant) -> DeadLetter:
    raw = record.value or b""
    return DeadLetter(
        id=f"{topic}-{shard}-{record.offset}",
        topic=topic,
        partition=shard,
        offset=record.offset,
        reason=refusal.reason,
        detail=refusal.detail,
        key_base64=None if record.key is None else b64encode(record.key[:MAX_KEY]).decode(),
        raw_base64=b64encode(raw[:MAX_RAW]).decode(),
        size=len(raw),
        complete=len(raw) <= MAX_RAW,
        refused_at=now,
    )
