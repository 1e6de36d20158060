using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

public class PreviewSessionTests
{
    [Fact]
    public void A_latent_becomes_a_picture_and_its_slot_returns_before_the_decode()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong sequence = bench.Submit(2, run: 7, step: 3, value: 9);
        decoder.WaitUntilInside();
        Assert.Equal([new RecordingSink.Released(2, sequence)], bench.Sink.Events);

        decoder.Go();
        ReadyPreview ready = bench.Sink.WaitForReady(sequence);
        Assert.Equal((7UL, 0U, 3, 20, "fake"), (ready.Run, ready.Stream, ready.Step, ready.TotalSteps, ready.Decoder));
        Assert.Equal((SessionBench.Side, SessionBench.Side, 48), (ready.Picture.Width, ready.Picture.Height, ready.Picture.ByteLength));
        Assert.All(bench.Picture(ready), b => Assert.Equal(9, b));
        ImageSlotHeader header = bench.PictureHeader(ready);
        Assert.Null(header.Validate(1, 3968));
        Assert.Equal((sequence, 7UL, 3, 0U, 48UL), (header.Sequence, header.Run, header.Step, header.Encoding, header.PayloadLength));
    }

    [Fact]
    public void A_newer_latent_replaces_the_waiting_one_but_never_the_one_being_decoded()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong first = bench.Submit(0, run: 1, step: 0, value: 1);
        decoder.WaitUntilInside();
        ulong second = bench.Submit(1, run: 1, step: 1, value: 2);
        ulong third = bench.Submit(2, run: 1, step: 2, value: 3);
        Assert.Equal((second, DropReason.Replaced), (bench.Sink.Dropped.Single().Sequence, bench.Sink.Dropped.Single().Reason));
        Assert.Contains(new RecordingSink.Released(1, second), bench.Sink.Events);

        decoder.Go();
        bench.Sink.WaitForReady(third);
        Assert.Equal([first, third], bench.Sink.Ready.Select(r => r.Sequence));
        StreamStatus status = bench.Session.Status().Streams.Single();
        Assert.Equal((3L, 2L, 1L, 0L), (status.Submitted, status.Shown, status.Replaced, status.Failed));
    }

    [Fact]
    public void The_last_step_does_not_wait_for_a_decode_that_is_going_on()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong before = bench.Submit(0, run: 1, step: 0);
        decoder.WaitUntilInside();
        ulong last = bench.Submit(1, run: 1, step: 1, last: true);
        Assert.Equal(DropReason.Replaced, bench.Sink.WaitForDropped(before).Reason);

        decoder.Go();
        Assert.Equal(1, bench.Sink.WaitForReady(last).Step);
        StreamStatus status = bench.Session.Status().Streams.Single();
        Assert.Equal((2L, 1L, 1L, 0L), (status.Submitted, status.Shown, status.Replaced, status.Failed));
    }

    // As DPM adaptive does, whose steps go on beyond the number that was said.
    [Fact]
    public void Steps_beyond_the_last_do_not_stop_one_anothers_pictures()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong last = bench.Submit(0, run: 1, step: 19, last: true);
        decoder.WaitUntilInside();
        ulong beyond = bench.Submit(1, run: 1, step: 20, last: true);
        decoder.Go();
        bench.Sink.WaitForReady(beyond);
        Assert.Equal([last, beyond], bench.Sink.Ready.Select(r => r.Sequence));
    }

    [Fact]
    public void Cancel_stops_the_decode_drops_what_waits_and_refuses_what_still_comes()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong decoding = bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        ulong waiting = bench.Submit(1, run: 1, step: 1);
        bench.Session.Cancel(0, 1);
        Assert.Equal(DropReason.Cancelled, bench.Sink.WaitForDropped(waiting).Reason);
        Assert.Equal(DropReason.Cancelled, bench.Sink.WaitForDropped(decoding).Reason);

        ulong late = bench.Submit(2, run: 1, step: 2);
        Assert.Equal(DropReason.Cancelled, bench.Sink.WaitForDropped(late).Reason);
        Assert.Empty(bench.Sink.Ready);
        Assert.Equal(3, bench.Sink.Events.OfType<RecordingSink.Released>().Count());
    }

    [Fact]
    public void End_shows_nothing_any_more_and_the_next_run_works()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong decoding = bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        bench.Session.End(0, 1);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(decoding).Reason);
        decoder.Go();
        bench.Sink.WaitForReady(bench.Submit(0, run: 2));
    }

    [Fact]
    public void A_cancel_of_another_run_or_stream_changes_nothing()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong sequence = bench.Submit(0, run: 5);
        decoder.WaitUntilInside();
        bench.Session.Cancel(0, 4);
        bench.Session.Cancel(1, 5);
        bench.Session.End(0, 6);
        decoder.Go();
        bench.Sink.WaitForReady(sequence);
    }

    [Fact]
    public void A_cancel_that_overtakes_the_first_latent_of_its_run_holds()
    {
        using var bench = new SessionBench(new FakeDecoder());
        bench.Session.Cancel(0, 3);
        Assert.Equal(DropReason.Cancelled, bench.Sink.WaitForDropped(bench.Submit(0, run: 3)).Reason);
        bench.Sink.WaitForReady(bench.Submit(0, run: 4));
        bench.Session.End(0, 6);
        bench.Sink.WaitForReady(bench.Submit(0, run: 4, step: 1));
        bench.Begin(6);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(bench.Submit(0, run: 6)).Reason);
    }

    [Fact]
    public void A_newer_run_ends_the_older_one_whether_begun_or_just_submitted()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        ulong old = bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        ulong waiting = bench.Submit(1, run: 1, step: 1);
        ulong newer = bench.Submit(2, run: 2);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(waiting).Reason);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(old).Reason);
        decoder.WaitUntilInside();
        bench.Begin(3);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(newer).Reason);
        Assert.Equal(DropReason.Ended, bench.Sink.WaitForDropped(bench.Submit(3, run: 2)).Reason);
        decoder.Go();
        bench.Sink.WaitForReady(bench.Submit(0, run: 3));
        Assert.Single(bench.Sink.Ready);
    }

    [Fact]
    public void Streams_take_turns()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(8, 8, _ => [decoder.Entry]);
        decoder.Hold();
        bench.Submit(0, run: 1, stream: 0);
        decoder.WaitUntilInside();
        bench.Submit(1, run: 1, stream: 0, step: 1);
        bench.Submit(2, run: 1, stream: 1);
        bench.Submit(3, run: 1, stream: 2);
        decoder.Go();
        bench.Sink.WaitFor(e => e.OfType<ReadyPreview>().Count() == 4, "four pictures");
        Assert.Equal([0U, 1U, 2U, 0U], bench.Sink.Ready.Select(r => r.Stream));
    }

    [Fact]
    public void Without_a_free_image_slot_nothing_is_decoded_and_the_newest_waits()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(4, 1, _ => [decoder.Entry]);
        ReadyPreview held = bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        int before = decoder.Count;
        ulong second = bench.Submit(1, run: 1, step: 1);
        ulong third = bench.Submit(2, run: 1, step: 2);
        Assert.Equal(DropReason.Replaced, bench.Sink.WaitForDropped(second).Reason);
        Assert.Equal(before, decoder.Count);
        bench.Session.Release(held.Slot);
        Assert.Equal(held.Slot, bench.Sink.WaitForReady(third).Slot);
    }

    [Fact]
    public void A_slot_that_lies_is_released_and_dropped_and_the_session_goes_on()
    {
        using var bench = new SessionBench(new FakeDecoder());
        foreach (Testing.Vectors.Case c in Testing.Vectors.Cases("latent-slot", "bad"))
        {
            LatentSlotHeader header = System.Runtime.InteropServices.MemoryMarshal.Read<LatentSlotHeader>(c.Bytes);
            header.Sequence = header.Sequence is 0 or >= Protocol.NumberLimit ? header.Sequence : bench.Header(1).Sequence;
            bench.Write(1, header);
            bench.Session.Submit(1, header.Sequence);
            object[] last = [.. bench.Sink.Events.TakeLast(2)];
            Assert.Equal(new RecordingSink.Released(1, header.Sequence), last[0]);
            Assert.Equal(DropReason.BadSlot, Assert.IsType<DroppedLatent>(last[1]).Reason);
        }

        bench.Sink.WaitForReady(bench.Submit(1, run: 1));
    }

    [Fact]
    public void A_slot_that_is_not_the_shims_or_says_another_sequence_is_dropped()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        ulong waiting = bench.Submit(1, run: 1, step: 1);
        bench.Session.Submit(1, waiting);
        bench.Session.Submit(4, 1000);
        bench.Session.Submit(-1, 1001);
        bench.Write(2, bench.Header(1, step: 2));
        bench.Session.Submit(2, 1002);
        Assert.Equal([waiting, 1000UL, 1001UL, 1002UL], bench.Sink.Dropped.Select(d => d.Sequence));
        Assert.All(bench.Sink.Dropped, d => Assert.Equal(DropReason.BadSlot, d.Reason));
        Assert.Equal([0, 2], bench.Sink.Events.OfType<RecordingSink.Released>().Select(r => r.Slot));
        decoder.Go();
        bench.Sink.WaitForReady(waiting);
    }

    [Fact]
    public void Channels_that_do_not_fit_the_format_are_a_bad_latent_with_both_named()
    {
        using var bench = new SessionBench(new FakeDecoder());
        bench.Begin(1);
        LatentSlotHeader header = bench.Header(1);
        header.Axes[1] = 16;
        header.Axes[3] = 1;
        DroppedLatent dropped = bench.Sink.WaitForDropped(bench.Submit(0, header));
        Assert.Equal(DropReason.BadLatent, dropped.Reason);
        Assert.Contains("16", dropped.Detail, StringComparison.Ordinal);
        Assert.Contains("SD15", dropped.Detail, StringComparison.Ordinal);
        header = bench.Header(1);
        header.AxisCount = 2;
        header.Axes[0] = 4 * SessionBench.Side;
        header.Axes[1] = SessionBench.Side;
        header.Axes[2] = 0;
        header.Axes[3] = 0;
        Assert.Equal(DropReason.BadLatent, bench.Sink.WaitForDropped(bench.Submit(0, header)).Reason);
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
    }

    [Fact]
    public void A_picture_larger_than_the_slot_says_what_it_needs()
    {
        using var bench = new SessionBench(new FakeDecoder());
        bench.Begin(1, options: SessionBench.Raw with { Size = 64 });
        DroppedLatent dropped = bench.Sink.WaitForDropped(bench.Submit(0, run: 1));
        Assert.Equal((DropReason.ImageSlotTooSmall, 3 * 64 * 64L), (dropped.Reason, dropped.NeededByteLength));
        bench.Begin(2);
        bench.Sink.WaitForReady(bench.Submit(0, run: 2));
    }

    [Fact]
    public void A_decoder_that_fails_costs_its_picture_and_the_next_one_down_takes_over_for_a_while()
    {
        var good = FakeDecoder.Named("good", 80);
        var plain = FakeDecoder.Named("plain", 20);
        using var bench = new SessionBench(good, plain);
        bench.Begin(1, options: SessionBench.Raw with { Decoder = "good" });

        // A decoder is tried before use, and another stands in until then: it begins to fail only after that.
        int step = 0;
        for (string shown = ""; shown != "good"; step++)
        {
            ReadyPreview ready = bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: step));
            shown = ready.Decoder;
            bench.Session.Release(ready.Slot);
        }

        good.Failure = new InvalidOperationException("out of luck");
        DroppedLatent dropped = bench.Sink.WaitForDropped(bench.Submit(0, run: 1, step: step));
        Assert.Equal(DropReason.Failed, dropped.Reason);
        Assert.Contains("out of luck", dropped.Detail, StringComparison.Ordinal);
        Assert.Equal("plain", bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: ++step)).Decoder);
        Assert.Contains("out of luck", bench.Session.Status().Streams.Single().Reason, StringComparison.Ordinal);

        good.Failure = null;
        var decoders = new List<string>();
        for (int last = step + 40; step < last && !decoders.Contains("good");)
        {
            ReadyPreview ready = bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: ++step));
            decoders.Add(ready.Decoder);
            bench.Session.Release(ready.Slot);
        }

        Assert.Equal("good", decoders[^1]);
    }

    [Fact]
    public void A_decoder_that_never_gets_done_within_a_run_does_not_keep_another_out_for_ever()
    {
        var slow = FakeDecoder.Named("slow", 80);
        var quick = FakeDecoder.Named("quick", 20);
        using var bench = new SessionBench(slow, quick);
        bench.Begin(1, options: SessionBench.Raw with { Decoder = "quick" });
        quick.Failure = new InvalidOperationException("out of luck");
        bench.Sink.WaitForDropped(bench.Submit(0, run: 1));
        quick.Failure = null;
        bench.Session.Release(bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: 1)).Slot); // slow is loaded

        slow.Hold();
        ulong run = 2;
        for (; run < 9; run++)
        {
            bench.Begin(run, options: SessionBench.Raw with { Decoder = "quick" });
            ulong sequence = bench.Submit(0, run: run);
            slow.WaitUntilInside();
            bench.Session.Cancel(0, run);
            bench.Sink.WaitForDropped(sequence);
        }

        bench.Begin(run, options: SessionBench.Raw with { Decoder = "quick" });
        Assert.Equal("quick", bench.Sink.WaitForReady(bench.Submit(0, run: run)).Decoder);
        slow.Go();
    }

    [Fact]
    public void Decode_answers_its_request_whatever_a_stream_does_meanwhile()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        decoder.Hold();
        bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        LatentSlotHeader header = bench.Header(1, step: 5);
        bench.Write(1, header, 77);
        bench.Session.Decode(new DecodeRequest(1, header.Sequence, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, "ask"));
        bench.Submit(2, run: 1, step: 6);
        bench.Session.Cancel(0, 1);
        decoder.Go();
        bench.Sink.WaitFor(e => e.OfType<RecordingSink.Answer>().Any(), "an answer");
        RecordingSink.Answer answer = bench.Sink.Events.OfType<RecordingSink.Answer>().Single();
        Assert.Equal("ask", answer.Tag);
        Assert.All(bench.Picture(answer.Picture!.Value), b => Assert.Equal(77, b));
        Assert.Contains(new RecordingSink.Released(1, header.Sequence), bench.Sink.Events);

        bench.Session.Decode(new DecodeRequest(9, 1, null, LatentSpace.Sampler, SessionBench.Raw, "bad"));
        Assert.Equal(DropReason.BadSlot, bench.Sink.Events.OfType<RecordingSink.Answer>().Last().Dropped!.Value.Reason);
    }

    [Fact]
    public void A_bigger_mapping_takes_over_and_every_slot_returns_to_its_first_owner()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        decoder.Hold();
        ulong decoding = bench.Submit(1, run: 1, step: 1);
        decoder.WaitUntilInside();
        ulong waiting = bench.Submit(2, run: 1, step: 2);
        HeaderPage bigger = HeaderPage.Create(4, 100_000, 1, 100_000, Environment.ProcessId, 2);
        bench.Memory.Resize(bigger);
        bench.Session.Attach(bench.Memory.Source, (long)bigger.TotalLength, 2);
        bench.Page = bigger;
        Assert.Equal([decoding, waiting], bench.Sink.Dropped.Select(d => d.Sequence).Order());
        decoder.Go();
        ulong old = bench.Header(1).Sequence;
        var stale = bench.Header(1);
        stale.Generation = 1;
        Assert.Equal(DropReason.BadSlot, bench.Sink.WaitForDropped(bench.Submit(3, stale)).Reason);
        Assert.True(old < stale.Sequence);
        Assert.Equal(0, bench.Sink.WaitForReady(bench.Submit(1, run: 1, step: 3)).Slot);
        Assert.Equal(2U, bench.Session.Status().Generation);
    }

    [Fact]
    public void A_mapping_that_cannot_be_opened_leaves_the_old_one_in_use()
    {
        using var bench = new SessionBench(new FakeDecoder());
        Assert.Throws<MappingException>(() => bench.Session.Attach(MappingSource.FromDescriptor(99_999), 8192, 2));
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
    }

    [Fact]
    public void A_guessed_format_and_values_that_are_not_finite_are_named_in_status()
    {
        using var bench = new SessionBench(new FakeDecoder());
        ReadyPreview ready = bench.Sink.WaitForReady(bench.Submit(0, run: 1, value: float.NaN));
        Assert.Equal(4 * SessionBench.Side * SessionBench.Side, ready.Picture.NonFiniteCount);
        Assert.True(bench.PictureHeader(ready).Flags.HasFlag(FrameMarks.NotFinite));
        StreamStatus status = bench.Session.Status().Streams.Single();
        Assert.Equal(("SD15", true, "fake", "test"), (status.Format, status.FormatGuessed, status.Decoder, status.Source));
        Assert.Contains(status.Warnings, w => w.Contains("guess", StringComparison.Ordinal));
        Assert.Contains(status.Warnings, w => w.Contains("NaN", StringComparison.Ordinal));
    }

    [Fact]
    public void A_stateful_decoder_is_kept_through_a_run_and_made_anew_for_the_next()
    {
        var made = new List<FakeDecoder>();
        var description = new FakeDecoder("estimated", 10).Description;
        var entry = new DecoderEntry(description, true, () =>
        {
            var decoder = new FakeDecoder("estimated", 10);
            made.Add(decoder);
            return decoder;
        });
        using var bench = new SessionBench(4, 4, _ => [entry]);
        for (int step = 0; step < 3; step++)
        {
            bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: step));
        }

        Assert.Single(made);
        bench.Session.Release(0);
        bench.Session.Release(1);
        bench.Sink.WaitForReady(bench.Submit(0, run: 2));
        Assert.Equal([true, false], made.Select(d => d.IsDisposed));
    }

    [Fact]
    public void More_streams_than_there_is_room_for_use_the_place_of_ended_ones()
    {
        using var bench = new SessionBench(4, 64, _ => [new FakeDecoder().Entry]);
        for (uint stream = 0; stream < 64; stream++)
        {
            bench.Session.Release(bench.Sink.WaitForReady(bench.Submit(0, run: 1, stream: stream)).Slot);
        }

        DroppedLatent refused = bench.Sink.WaitForDropped(bench.Submit(0, run: 1, stream: 64));
        Assert.Equal(DropReason.Failed, refused.Reason);
        bench.Session.End(10, 1);
        bench.Sink.WaitForReady(bench.Submit(0, run: 1, stream: 64));
        Assert.Equal(64, bench.Session.Status().Streams.Count);
    }

    [Fact]
    public void Disposing_in_the_middle_of_a_decode_stops_it()
    {
        var decoder = new FakeDecoder();
        var bench = new SessionBench(decoder);
        decoder.Hold();
        bench.Submit(0, run: 1);
        decoder.WaitUntilInside();
        bench.Dispose();
        Assert.True(decoder.IsDisposed);
        Assert.Empty(bench.Sink.Ready);
        bench.Session.Dispose();
        bench.Session.Submit(1, 99);
        Assert.Equal(DropReason.BadSlot, bench.Sink.WaitForDropped(99).Reason);
    }

    [Fact]
    public void Weights_load_in_the_background_and_the_first_picture_does_not_wait_for_them()
    {
        using var loaded = new ManualResetEventSlim();
        var slow = FakeDecoder.Named("slow-to-load", 80, cost: 100_000);
        var plain = FakeDecoder.Named("plain", 20, cost: 1);
        using var bench = new SessionBench(4, 4, _ => [plain.Entry, new DecoderEntry(slow.Description, false, () =>
        {
            loaded.Wait();
            return slow;
        })]);
        Assert.Equal("plain", bench.Sink.WaitForReady(bench.Submit(0, run: 1)).Decoder);
        Assert.Contains("being loaded", bench.Session.Status().Streams.Single().Reason, StringComparison.Ordinal);
        loaded.Set();
        SpinWait.SpinUntil(() => bench.Session.Status().Decoders.Any(d => d.Id == "slow-to-load" && d.Loaded), TimeSpan.FromSeconds(30));
        Assert.Equal("slow-to-load", bench.Sink.WaitForReady(bench.Submit(0, run: 2)).Decoder);
    }

    [Fact]
    public void Status_names_a_decoder_once_however_many_models_share_it()
    {
        using var bench = new SessionBench(new FakeDecoder());
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        bench.Session.Begin(1, 1, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw, "a model");
        bench.Sink.WaitForReady(bench.Submit(1, run: 1, stream: 1));
        Assert.Equal(2, bench.Session.Status().Streams.Count);
        Assert.Single(bench.Session.Status().Decoders);
    }

    [Fact]
    public void A_catalogue_that_grows_is_asked_again_and_what_is_loaded_stays()
    {
        var plain = FakeDecoder.Named("plain", 20);
        var found = FakeDecoder.Named("found", 60);
        DecoderEntry[] catalogue = [plain.Entry];
        using var bench = new SessionBench(4, 4, _ => Volatile.Read(ref catalogue));
        Assert.Equal("plain", bench.Sink.WaitForReady(bench.Submit(0, run: 1)).Decoder);
        Volatile.Write(ref catalogue, [found.Entry, plain.Entry]);
        bench.Session.RefreshCatalogue();
        Assert.Equal("found", bench.Sink.WaitForReady(bench.Submit(0, run: 2)).Decoder);
        Assert.False(plain.IsDisposed);
        Volatile.Write(ref catalogue, [found.Entry]);
        bench.Session.RefreshCatalogue();
        bench.Sink.WaitForReady(bench.Submit(0, run: 3));
        Assert.True(plain.IsDisposed);
    }

    // As when a restarted host gets a latent while it still searches for weights: the rest of the run was latent2rgb.
    [Fact]
    public void What_changes_while_the_catalogue_is_asked_for_the_first_time_is_found()
    {
        var plain = FakeDecoder.Named("plain", 20);
        var found = FakeDecoder.Named("found", 60);
        PreviewSession? session = null;
        int asked = 0;
        using var ready = new ManualResetEventSlim();
        using var bench = new SessionBench(4, 4, _ =>
        {
            DecoderEntry[] answer = Interlocked.Increment(ref asked) == 1 ? [plain.Entry] : [found.Entry, plain.Entry];
            if (answer.Length == 1)
            {
                Assert.True(ready.Wait(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
                session!.RefreshCatalogue();
            }

            return answer;
        });
        session = bench.Session;
        ready.Set();
        Assert.Equal("plain", bench.Sink.WaitForReady(bench.Submit(0, run: 1)).Decoder);
        Assert.Equal("found", bench.Sink.WaitForReady(bench.Submit(1, run: 1, step: 1)).Decoder);
        Assert.Equal(2, asked);
    }

    [Fact]
    public void What_the_shim_names_is_left_out_and_the_log_says_so_at_the_start()
    {
        var sink = new RecordingSink();
        DecoderEntry[] entries = [FakeDecoder.Named("bad", 80, cost: 200).Entry with { File = "/models/bad.onnx" }, FakeDecoder.Named("plain", 20).Entry];
        using var session = new PreviewSession(sink, _ => entries, () => 1, avoid: [new("bad", "/models/bad.onnx")]);
        Assert.StartsWith("bad (/models/bad.onnx) is left out: ", Assert.IsType<string>(sink.Events[0]), StringComparison.Ordinal);
        session.Begin(0, 1, SessionBench.Format, LatentSpace.Sampler, SessionBench.Raw);
        Assert.True(SpinWait.SpinUntil(() => session.Status().Decoders.Count == 2, TimeSpan.FromSeconds(30)));
        Assert.Equal([("plain", null), ("bad", Avoidance.Reason)], session.Status().Decoders.Select(d => (d.Id, d.Failure)));
    }

    [Fact]
    public void A_format_that_no_stream_has_any_more_gives_its_decoders_back()
    {
        var first = FakeDecoder.Named("first");
        var second = FakeDecoder.Named("second");
        using var bench = new SessionBench(4, 4, format => [(format.Id == "SD15" ? first : second).Entry]);
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        bench.Session.Begin(0, 2, LatentFormats.Get("SDXL"), LatentSpace.Sampler, SessionBench.Raw);
        Assert.Equal("second", bench.Sink.WaitForReady(bench.Submit(0, run: 2)).Decoder);
        Assert.True(first.IsDisposed);
        Assert.False(second.IsDisposed);
    }

    [Fact]
    public void The_last_step_keeps_the_decoder_of_the_picture_before_though_it_is_late()
    {
        var fine = new FakeDecoder("fine") { Time = TimeSpan.FromMilliseconds(70) };
        var coarse = new FakeDecoder("coarse", quality: 20, cost: 10);
        using var bench = new SessionBench(fine, coarse);
        bench.Begin(1, options: SessionBench.Raw with { Decoder = "fine" });
        while (!bench.Sink.Ready.Any(ready => ready.Decoder == "fine"))
        {
            Show(run: 1, step: 0);
        }

        bench.Begin(2);
        string[] shown = [Show(2, 15), Show(2, 16), Show(2, 17), Show(2, 18), Show(2, 19, last: true)];
        Assert.Equal(["fine", "fine"], shown[^2..]);

        string Show(ulong run, int step, bool last = false)
        {
            ReadyPreview ready = bench.Sink.WaitForReady(bench.Submit(0, run, step: step, last: last));
            bench.Session.Release(ready.Slot);
            Thread.Sleep(200);
            return ready.Decoder;
        }
    }

    [Fact]
    public void A_decoder_that_is_not_there_is_named_with_the_picture_and_in_status()
    {
        using var bench = new SessionBench(new FakeDecoder());
        bench.Begin(1, options: SessionBench.Raw with { Decoder = "no-such" });
        ReadyPreview ready = bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        Assert.Equal(("fake", "no no-such here"), (ready.Decoder, ready.Note));
        Assert.Contains("the decoder no-such was chosen", ready.Warning, StringComparison.Ordinal);
        Assert.Contains(ready.Warning, bench.Session.Status().Streams.Single().Warnings);
    }

    [Fact]
    public void Threads_beyond_the_cores_are_not_given_to_a_decoder()
    {
        var decoder = new FakeDecoder();
        using var bench = new SessionBench(decoder);
        bench.Begin(1, options: SessionBench.Raw with { Threads = 256 });
        bench.Sink.WaitForReady(bench.Submit(0, run: 1));
        Assert.Equal(Environment.ProcessorCount, decoder.Threads);
    }

    [Fact]
    public void Pictures_of_a_run_have_one_size_whatever_decoder_makes_them()
    {
        var fine = new FakeDecoder("fine", cost: 5000, pixelsPerCell: 4) { Time = TimeSpan.FromMilliseconds(220) };
        var coarse = new FakeDecoder("coarse", quality: 20, cost: 10);
        using var bench = new SessionBench(fine, coarse);
        for (int step = 0; step < 2 || bench.Sink.Ready.Last().Decoder != "fine"; step++)
        {
            bench.Session.Release(bench.Sink.WaitForReady(bench.Submit(0, run: 1, step: step)).Slot);
            Thread.Sleep(500);
        }

        Assert.Equal("coarse", bench.Sink.Ready.First().Decoder);
        Assert.All(bench.Sink.Ready, ready => Assert.Equal((4 * SessionBench.Side, 4 * SessionBench.Side), (ready.Picture.Width, ready.Picture.Height)));
    }
}
