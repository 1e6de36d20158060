using LatentBridge.Testing;

namespace LatentBridge.Sessions.Tests;

public class DecoderChooserTests
{
    const long Cells = 64 * 64;

    readonly DecoderCandidate _taesd = Candidate("taesd", 80, 5_000_000);
    readonly DecoderCandidate _tiny = Candidate("tiny", 60, 100_000);
    readonly DecoderCandidate _linear = Candidate("latent2rgb", 20, 12);

    DecoderCandidate[] All => [_taesd, _tiny, _linear];

    [Fact]
    public void The_best_that_is_ready_before_the_next_step_is_taken()
    {
        Measured(300, 8, 0.1);
        Assert.Equal("tiny", Choose(step: 200).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: 1000).Decoder.Description.Id);
        Assert.Equal("latent2rgb", Choose(step: 5).Decoder.Description.Id);
    }

    [Fact]
    public void When_nothing_is_ready_in_time_the_fastest_is_taken()
    {
        Measured(300, 8, 2);
        DecoderChoice choice = Choose(step: 1);
        Assert.Equal(("latent2rgb", ChoiceRule.FastestOfAll), (choice.Decoder.Description.Id, choice.Rule));
        Assert.Contains("fastest", choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_picture_must_be_quick_and_the_last_keeps_its_own_budget()
    {
        Measured(300, 8, 0.1);
        DecoderChoice first = Choose(step: null);
        Assert.Equal(("tiny", ChoiceRule.FirstPicture), (first.Decoder.Description.Id, first.Rule));
        Assert.Equal("tiny", Choose(step: 1000, last: true).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: 20, last: true, lastBudget: 400).Decoder.Description.Id);
        Assert.Equal("latent2rgb", Choose(step: 1000, last: true, lastBudget: 5).Decoder.Description.Id);
    }

    [Fact]
    public void The_picture_does_not_flicker_between_two_decoders()
    {
        Measured(300, 8, 0.1);
        // 300 ms in a step of 350 ms: enough to stay, not enough to change to it.
        Assert.Equal("tiny", Choose(step: 350, current: _tiny).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: 350, current: _taesd).Decoder.Description.Id);
        Assert.Equal("tiny", Choose(step: 290, current: _taesd).Decoder.Description.Id);
    }

    [Fact]
    public void Estimated_colours_are_for_formats_without_true_ones()
    {
        DecoderCandidate estimated = Candidate("estimated", 10, 22);
        FrameDemand demand = new(Cells, 1, null, false, 50, "auto");
        Assert.Equal("latent2rgb", DecoderChooser.Choose([_linear, estimated], demand, null).Decoder.Description.Id);
        Assert.Equal("estimated", DecoderChooser.Choose([estimated], demand, null).Decoder.Description.Id);
        Assert.Equal("estimated", DecoderChooser.Choose([_linear, estimated], demand with { Pin = "estimated" }, null).Decoder.Description.Id);
    }

    [Fact]
    public void Times_scale_with_cells_and_threads()
    {
        Measured(300, 8, 0.1);
        Assert.Equal(1200, DecoderChooser.Predict(All, _taesd, 4 * Cells, 1), 1e-6);
        Assert.Equal(150, DecoderChooser.Predict(All, _taesd, Cells, 2), 1e-6);
        Assert.Equal("taesd", Choose(step: 400, threads: 4).Decoder.Description.Id);
    }

    [Fact]
    public void A_decoder_never_measured_is_predicted_from_the_speed_of_a_comparable_one()
    {
        Load(_taesd, _tiny, _linear);
        double hopeful = DecoderChooser.Predict(All, _taesd, Cells, 1);
        Assert.Equal(5e6 * Cells / DecoderChooser.HopefulSpeed, hopeful, 1e-6);
        _linear.Times.Record(Cells, 1, 1e-6);
        Assert.Equal(hopeful, DecoderChooser.Predict(All, _taesd, Cells, 1), 1e-6);
        _tiny.Times.Record(Cells, 1, 8);
        Assert.Equal(400, DecoderChooser.Predict(All, _taesd, Cells, 1), 1e-6);
    }

    [Fact]
    public void What_would_be_chosen_but_is_not_loaded_is_wanted_and_named()
    {
        Measured(300, 8, 0.1, load: false);
        Load(_linear);
        DecoderChoice choice = Choose(step: 100);
        Assert.Equal("latent2rgb", choice.Decoder.Description.Id);
        Assert.Equal((false, true), (_taesd.IsWanted, _tiny.IsWanted));
        Assert.Contains("tiny is being loaded", choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pin_is_kept_and_a_pin_that_does_not_work_is_explained()
    {
        Measured(300, 8, 0.1);
        DecoderChoice pinned = Choose(step: 5, pin: "taesd");
        Assert.Equal(("taesd", ChoiceRule.Pinned), (pinned.Decoder.Description.Id, pinned.Rule));
        Assert.Equal("taesd was asked for", pinned.Reason);
        DecoderChoice missing = Choose(step: 100, pin: "taesd-half");
        Assert.Equal("tiny", missing.Decoder.Description.Id);
        Assert.StartsWith("taesd-half was asked for, but there is none", missing.Reason, StringComparison.Ordinal);
        Assert.StartsWith("taesd-half was asked for, and the folders are still being searched for weights;", (missing with { IsSearching = true }).Reason, StringComparison.Ordinal);
        _taesd.Failed("broken file");
        DecoderChoice failed = Choose(step: 100, pin: "taesd");
        Assert.Equal("tiny", failed.Decoder.Description.Id);
        Assert.Contains("broken file", failed.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pin_that_would_come_too_late_for_the_run_lets_a_faster_one_stand_in()
    {
        Measured(300, 8, 0.1);
        Assert.Equal("taesd", Choose(step: 20, pin: "taesd", left: 16).Decoder.Description.Id);
        DecoderChoice late = Choose(step: 20, pin: "taesd", left: 14);
        Assert.Equal("tiny", late.Decoder.Description.Id);
        Assert.StartsWith("taesd was asked for; tiny is expected to take 8.0 ms", late.Reason, StringComparison.Ordinal);
        Assert.EndsWith("taesd would come too late", late.Reason, StringComparison.Ordinal);
        Assert.Equal("taesd", Choose(step: 400, pin: "taesd", left: 1).Decoder.Description.Id);
    }

    [Fact]
    public void A_single_picture_waits_for_its_decoder_to_load()
    {
        Measured(300, 8, 0.1, load: false);
        Load(_linear);
        Assert.Equal("tiny", Choose(step: null, last: true, lastBudget: 50, single: true).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: null, last: true, lastBudget: 1000, single: true).Decoder.Description.Id);
        Assert.Equal("latent2rgb", Choose(step: null, last: true, lastBudget: 1000).Decoder.Description.Id);
    }

    [Fact]
    public void A_pin_makes_the_first_picture_unless_it_takes_long_and_the_last_one_in_time()
    {
        Measured(300, 8, 0.1);
        Assert.Equal("taesd", Choose(step: null, pin: "taesd", left: 19).Decoder.Description.Id);
        DecoderChoice late = Choose(step: null, pin: "taesd", left: 19, cells: 2 * Cells);
        Assert.Equal(("tiny", "taesd would come too late"), (late.Decoder.Description.Id, late.Note));
        Assert.Equal("tiny", Choose(step: 20, pin: "taesd", last: true, left: 0).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: 20, pin: "taesd", last: true, left: 0, lastBudget: 400).Decoder.Description.Id);
        Assert.Equal("tiny", Choose(step: null, pin: "tiny", left: 19).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: null, pin: "taesd", last: true, single: true).Decoder.Description.Id);
    }

    [Fact]
    public void A_coarser_picture_does_not_replace_a_finer_one_of_a_near_step()
    {
        Measured(300, 80, 0.1);
        Assert.Equal("latent2rgb", Choose(step: 100, last: true).Decoder.Description.Id);
        DecoderChoice kept = Choose(step: 100, last: true, onScreen: _tiny);
        Assert.Equal(("tiny", ChoiceRule.OnScreen), (kept.Decoder.Description.Id, kept.Rule));
        Assert.Equal("tiny made the picture of a step just before, and a coarser one does not take its place", kept.Reason);
        Assert.Equal("tiny", Choose(step: 1, onScreen: _tiny).Decoder.Description.Id);
        Assert.Equal("taesd", Choose(step: 1000, onScreen: _tiny).Decoder.Description.Id);

        DecoderChoice pinned = Choose(step: 100, last: true, pin: "tiny", onScreen: _tiny);
        Assert.Equal(("tiny", ChoiceRule.Pinned, null), (pinned.Decoder.Description.Id, pinned.Rule, pinned.Note));
        DecoderChoice standIn = Choose(step: 100, last: true, pin: "taesd", onScreen: _tiny);
        Assert.Equal(("tiny", "taesd would come too late"), (standIn.Decoder.Description.Id, standIn.Note));

        _tiny.Failed("x");
        Assert.Equal("latent2rgb", Choose(step: 100, last: true, onScreen: _tiny).Decoder.Description.Id);
        Assert.Equal("latent2rgb", Choose(step: 100, last: true, onScreen: Candidate("of-before", 90, 100)).Decoder.Description.Id);
    }

    [Theory]
    [InlineData(4, 4, 20, false, true)]
    [InlineData(4, 6, 20, false, true)]
    [InlineData(4, 7, 20, false, false)]
    [InlineData(14, 19, 20, true, true)]
    [InlineData(13, 19, 20, true, false)]
    [InlineData(0, 1, 0, false, true)]
    [InlineData(0, 2, 0, false, false)]
    public void Near_is_a_tenth_of_the_run_or_a_quarter_at_its_end(int shown, int step, int total, bool isLast, bool expected) =>
        Assert.Equal(expected, DecoderChooser.IsNear(shown, step, total, isLast));

    [Fact]
    public void Why_a_chosen_decoder_is_not_used_is_said_and_what_does_not_pass_is_a_warning()
    {
        Measured(300, 8, 0.1, load: false);
        Load(_tiny, _linear);
        Assert.Equal((null, null), Words(Choose(step: 100)));
        Assert.Equal((null, null), Words(Choose(step: 100, pin: "tiny", left: 9)));
        Assert.Equal(("taesd is being loaded", null), Words(Choose(step: 100, pin: "taesd", left: 9)));
        (string? note, string? warning) = Words(Choose(step: 100, pin: "tinny", left: 9));
        Assert.Equal("no tinny here", note);
        Assert.StartsWith("the decoder tinny was chosen, but there is none of that name for this model", warning, StringComparison.Ordinal);
        _tiny.Failed("broken file");
        Assert.Equal(("tiny failed", "the decoder tiny was chosen, but it failed: broken file"), Words(Choose(step: 100, pin: "tiny", left: 9)));

        static (string? Note, string? Warning) Words(DecoderChoice choice) => (choice.Note, choice.Warning);
    }

    [Fact]
    public void Times_are_learnt_for_each_number_of_threads()
    {
        Load(_tiny);
        _tiny.Times.Record(Cells, 8, 100);
        Assert.Equal(100, DecoderChooser.Predict(All, _tiny, Cells, 8), 1e-6);
        _tiny.Times.Record(Cells, 1, 100);
        Assert.Equal(100, DecoderChooser.Predict(All, _tiny, Cells, 1), 1e-6);
        Assert.Equal(100, DecoderChooser.Predict(All, _tiny, Cells, 8), 1e-6);
        Assert.Equal(50, DecoderChooser.Predict(All, _tiny, Cells, 2), 1e-6);
    }

    [Fact]
    public void The_finest_likely_decoder_is_the_pinned_one_or_what_fits_a_step_as_before()
    {
        Measured(1500, 8, 0.1, load: false);
        Assert.Equal("tiny", Finest(null, "auto"));
        Assert.Equal("taesd", Finest(2000, "auto"));
        Assert.Equal("taesd", Finest(null, "taesd"));
        Assert.Equal("latent2rgb", Finest(null, "latent2rgb"));
        Assert.Equal("tiny", Finest(null, "no-such"));

        string Finest(double? step, string pin) => DecoderChooser.FinestLikely(All, new FrameDemand(Cells, 1, step, false, 50, pin)).Description.Id;
    }

    [Fact]
    public void A_trial_that_is_quick_again_ends_a_bad_moment_on_more_threads()
    {
        _tiny.Times.Calibrate(1);
        _tiny.Times.Record(100, 2, 60);
        _tiny.Times.Record(100, 2, 6000);
        _tiny.Times.Calibrate(1);
        Assert.InRange(_tiny.Times.Predict(100, 2), 60, 70);
    }

    [Fact]
    public void A_pin_that_is_not_loaded_is_wanted_while_another_stands_in()
    {
        Measured(300, 8, 0.1, load: false);
        Load(_linear);
        DecoderChoice choice = Choose(step: 1000, pin: "taesd", left: 10);
        Assert.Equal(("latent2rgb", true), (choice.Decoder.Description.Id, _taesd.IsWanted));
        Assert.EndsWith("taesd is being loaded", choice.Reason, StringComparison.Ordinal);
        Assert.Equal("taesd", Choose(step: null, pin: "taesd", last: true, single: true).Decoder.Description.Id);
    }

    [Fact]
    public void What_stands_in_for_a_pin_is_never_dearer()
    {
        Measured(300, 8, 0.1, load: false);
        Load(_tiny);
        DecoderChoice choice = Choose(step: 100, pin: "latent2rgb", left: 10);
        Assert.Equal(("latent2rgb", ChoiceRule.Pinned), (choice.Decoder.Description.Id, choice.Rule));
        Assert.Equal("latent2rgb was asked for", choice.Reason);
        Load(_taesd);
        Assert.Equal(("latent2rgb", false), (Choose(step: null, pin: "latent2rgb").Decoder.Description.Id, _taesd.IsWanted));
    }

    [Fact]
    public void A_failed_decoder_is_left_out_for_longer_each_time_and_returns()
    {
        Measured(300, 8, 0.1);
        Assert.Equal([8, 16, 32], Enumerable.Range(0, 3).Select(_ => FramesWithoutTiny()));
        _tiny.Succeeded(cells: 1);
        Assert.Equal(8, FramesWithoutTiny());

        int FramesWithoutTiny()
        {
            _tiny.Failed("x");
            int frames = 0;
            for (; Choose(step: 100).Decoder != _tiny; frames++)
            {
                _tiny.CountFrame(isBetter: true);
            }

            return frames;
        }
    }

    [Fact]
    public void One_bad_moment_is_forgotten_and_a_lasting_change_is_learnt()
    {
        Measured(300, 8, 0.1);
        _tiny.Times.Record(Cells, 1, 400);
        Assert.Equal("latent2rgb", Choose(step: 100).Decoder.Description.Id);
        for (int i = 0; i < 40; i++)
        {
            _tiny.Times.Drift();
        }

        Assert.Equal("tiny", Choose(step: 100).Decoder.Description.Id);
        for (int i = 0; i < 40; i++)
        {
            _tiny.Times.Record(Cells, 1, 400);
        }

        for (int i = 0; i < 40; i++)
        {
            _tiny.Times.Drift();
        }

        Assert.Equal("latent2rgb", Choose(step: 100).Decoder.Description.Id);
    }

    [Fact]
    public void Choosing_and_recording_allocate_nothing()
    {
        Measured(300, 8, 0.1);
        DecoderCandidate[] all = All;
        Assert.Equal(0, Allocated.By(() => Loop(all, 1000)));

        static void Loop(DecoderCandidate[] all, int count)
        {
            for (int i = 0; i < count; i++)
            {
                DecoderChoice choice = DecoderChooser.Choose(all, new FrameDemand(Cells, 1, 100, false, 50, "auto"), all[1]);
                choice.Decoder.Times.Record(Cells, 1, 8);
                all[0].Times.Drift();
            }
        }
    }

    static DecoderCandidate Candidate(string id, int quality, long cost)
    {
        var decoder = new FakeDecoder(id, quality, cost);
        return new DecoderCandidate(decoder.Entry, TimeProvider.System);
    }

    void Measured(double taesd, double tiny, double linear, bool load = true)
    {
        _taesd.Times.Record(Cells, 1, taesd);
        _tiny.Times.Record(Cells, 1, tiny);
        _linear.Times.Record(Cells, 1, linear);
        if (load)
        {
            Load(_taesd, _tiny, _linear);
        }
    }

    static void Load(params DecoderCandidate[] candidates) => Array.ForEach(candidates, c => c.Load());

    DecoderChoice Choose(
        double? step, bool last = false, int lastBudget = 50, int threads = 1, string pin = "auto", DecoderCandidate? current = null, int? left = null, bool single = false,
        DecoderCandidate? onScreen = null, long cells = Cells) =>
        DecoderChooser.Choose(All, new FrameDemand(cells, threads, step, last, lastBudget, pin, left, single, OnScreen: onScreen), current);
}
