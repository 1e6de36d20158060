using FsCheck;
using FsCheck.Fluent;
using LatentBridge.Ipc;

namespace LatentBridge.Sessions.Tests;

/// <summary>Any order of what a shim may do, over a real worker thread: the promises hold.</summary>
public class RandomScheduleTests
{
    const int LatentSlots = 4;
    const int ImageSlots = 2;
    const int Streams = 2;

    enum Act
    {
        Submit,
        NewRun,
        Begin,
        Cancel,
        End,
        Release,
        Hold,
        Go,
    }

    [Fact]
    public void Any_schedule_answers_every_submit_once_shows_the_newest_and_leaks_no_slot()
    {
        Gen<Act> act = Gen.Frequency(
            (8, Gen.Constant(Act.Submit)), (1, Gen.Constant(Act.NewRun)), (1, Gen.Constant(Act.Begin)), (1, Gen.Constant(Act.Cancel)), (1, Gen.Constant(Act.End)),
            (5, Gen.Constant(Act.Release)), (2, Gen.Constant(Act.Hold)), (2, Gen.Constant(Act.Go)));
        Gen<(Act Act, uint Stream)> step = act.SelectMany(a => Gen.Choose(0, Streams - 1).Select(s => (a, (uint)s)));
        Gen<List<(Act Act, uint Stream)>> schedule = step.ListOf();
        Prop.ForAll(Arb.From(schedule.Resize(80)), steps => Run(steps)).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    static void Run(IReadOnlyList<(Act Act, uint Stream)> steps)
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(LatentSlots, ImageSlots, _ => [decoder.Entry]);
        var shim = new Shim(bench);
        foreach ((Act act, uint stream) in steps)
        {
            switch (act)
            {
                case Act.Submit:
                    shim.Submit(stream);
                    break;
                case Act.NewRun:
                    shim.Runs[stream]++;
                    shim.Submit(stream);
                    break;
                case Act.Begin:
                    bench.Begin(++shim.Runs[stream], stream);
                    shim.Mark("begun", stream);
                    break;
                case Act.Cancel:
                    bench.Session.Cancel(stream, shim.Runs[stream]);
                    shim.Mark("closed", stream);
                    break;
                case Act.End:
                    bench.Session.End(stream, shim.Runs[stream]);
                    shim.Mark("closed", stream);
                    break;
                case Act.Release:
                    shim.ReleaseOne();
                    break;
                case Act.Hold:
                    decoder.Hold();
                    break;
                default:
                    decoder.Go();
                    break;
            }
        }

        decoder.Go();
        shim.Settle();
        var newest = new List<ulong>();
        for (uint stream = 0; stream < Streams; stream++)
        {
            shim.Runs[stream]++;
            newest.Add(shim.Submit(stream));
            shim.Settle();
        }

        AssertPromises(bench.Sink.Events, shim.Submitted);
        Assert.All(newest, sequence => Assert.Single(bench.Sink.Ready, r => r.Sequence == sequence));

        // Nothing leaked: as many pictures as there are image slots, from every latent slot, with none given back in between.
        for (int i = 0; i < ImageSlots; i++)
        {
            bench.Sink.WaitForReady(shim.Submit(0));
        }

        Assert.Equal(LatentSlots, shim.FreeLatentSlots);
    }

    static void AssertPromises(IReadOnlyList<object> events, IReadOnlyCollection<ulong> submitted)
    {
        var answers = new Dictionary<ulong, int>();
        var released = new Dictionary<ulong, int>();
        var oldestAllowed = new ulong[Streams];
        var closed = new HashSet<(uint, ulong)>();
        ulong[] lastShown = new ulong[Streams];
        foreach (object e in events)
        {
            switch (e)
            {
                case RecordingSink.Mark mark when mark.Text == "closed":
                    closed.Add((mark.Stream, mark.Run));
                    break;
                case RecordingSink.Mark mark:
                    oldestAllowed[mark.Stream] = Math.Max(oldestAllowed[mark.Stream], mark.Run);
                    break;
                case ReadyPreview ready:
                    answers[ready.Sequence] = answers.GetValueOrDefault(ready.Sequence) + 1;
                    Assert.True(ready.Run >= oldestAllowed[ready.Stream], $"{ready} is of a run older than {oldestAllowed[ready.Stream]}");
                    Assert.DoesNotContain((ready.Stream, ready.Run), closed);
                    Assert.True(ready.Sequence > lastShown[ready.Stream], $"{ready} came after {lastShown[ready.Stream]}");
                    lastShown[ready.Stream] = ready.Sequence;
                    break;
                case DroppedLatent dropped:
                    answers[dropped.Sequence] = answers.GetValueOrDefault(dropped.Sequence) + 1;
                    Assert.True(dropped.Reason is DropReason.Replaced or DropReason.Cancelled or DropReason.Ended, dropped.ToString());
                    break;
                case RecordingSink.Released release:
                    released[release.Sequence] = released.GetValueOrDefault(release.Sequence) + 1;
                    break;
            }
        }

        Assert.Equal(submitted.Order(), answers.Keys.Order());
        Assert.All(answers, a => Assert.Equal(1, a.Value));
        Assert.Equal(submitted.Order(), released.Keys.Order());
        Assert.All(released, r => Assert.Equal(1, r.Value));
    }

    /// <summary>The shim's side of the slots, from what the session said.</summary>
    sealed class Shim(SessionBench bench)
    {
        readonly Dictionary<int, ulong> _inLatentSlot = [];
        readonly HashSet<ulong> _givenBack = [];

        public ulong[] Runs { get; } = [.. Enumerable.Repeat(1UL, Streams)];

        public List<ulong> Submitted { get; } = [];

        public int FreeLatentSlots => Enumerable.Range(0, LatentSlots).Count(IsFree);

        public void Mark(string text, uint stream) => bench.Sink.Add(new RecordingSink.Mark(text, stream, Runs[stream]));

        /// <summary>Submits when a slot is free; like the real shim it otherwise keeps the latent (here: forgets it).</summary>
        public ulong Submit(uint stream)
        {
            int slot = Enumerable.Range(0, LatentSlots).FirstOrDefault(IsFree, -1);
            if (slot < 0)
            {
                return 0;
            }

            LatentSlotHeader header = bench.Header(Runs[stream], stream, Submitted.Count);
            _inLatentSlot[slot] = header.Sequence;
            Submitted.Add(header.Sequence);
            bench.Submit(slot, header);
            return header.Sequence;
        }

        public void ReleaseOne()
        {
            foreach (ReadyPreview ready in bench.Sink.Ready)
            {
                if (_givenBack.Add(ready.Sequence))
                {
                    bench.Session.Release(ready.Slot);
                    return;
                }
            }
        }

        /// <summary>Gives pictures back until everything submitted was answered.</summary>
        public void Settle()
        {
            while (true)
            {
                int seen = bench.Sink.Events.Count;
                int before;
                do
                {
                    before = _givenBack.Count;
                    ReleaseOne();
                }
                while (_givenBack.Count > before);
                IReadOnlyList<object> events = bench.Sink.Events;
                if (events.OfType<ReadyPreview>().Count() + events.OfType<DroppedLatent>().Count() >= Submitted.Count
                    && events.OfType<ReadyPreview>().Count() == _givenBack.Count)
                {
                    return;
                }

                bench.Sink.WaitFor(e => e.Count > seen, "anything more");
            }
        }

        bool IsFree(int slot) => !_inLatentSlot.TryGetValue(slot, out ulong sequence) || bench.Sink.Events.Contains(new RecordingSink.Released(slot, sequence));
    }
}
