namespace LatentBridge.Sessions;

/// <summary>What a frame asks of its decoder.</summary>
/// <param name="Cells">Cells to decode, all pictures of a grid together.</param>
/// <param name="Threads">Threads a decode may use.</param>
/// <param name="StepMilliseconds">Time of a sampler step; null until two came.</param>
/// <param name="IsLast">The run's last step, or somebody waits for it.</param>
/// <param name="LastStepMilliseconds">What that may take.</param>
/// <param name="Pin">A decoder's id, or <c>auto</c>.</param>
/// <param name="StepsLeft">Steps until the last one; null where the run's length is not known.</param>
/// <param name="IsSinglePicture">Somebody asked for this one picture: it waits for its decoder to load, and for a pinned one whatever it costs.</param>
/// <param name="MultiplyAddsAtMost">Per cell; dearer decoders are not looked at.</param>
/// <param name="OnScreen">What made the picture that is shown, if that is of the same step or a near one.</param>
readonly record struct FrameDemand(
    long Cells, int Threads, double? StepMilliseconds, bool IsLast, int LastStepMilliseconds, string Pin, int? StepsLeft = null, bool IsSinglePicture = false,
    long MultiplyAddsAtMost = long.MaxValue, DecoderCandidate? OnScreen = null);

/// <summary>Picks the best picture that is ready in time.</summary>
/// <remarks>
/// Times are predicted from what was measured, per cell and thread. A decoder never measured is predicted from its multiply-adds
/// at the speed of the measured decoder nearest in cost, or at a hopeful guess: hope costs no more than loading it, because what was
/// loaded is tried out, and so measured, before it is used. The picture must not flicker between two decoders, so a better one must promise
/// room to spare, while the one in use may take the whole step.
/// A pinned decoder may take longer than a step: it then shows fewer pictures. But it never costs a run its only ones: until it is loaded,
/// for a first picture that would take long, and where it would not be done before the run is, the best cheaper one that is in time stands in.
/// A picture of a near step that is on screen is not replaced by a coarser one: its decoder goes on, though its picture may come late.
/// </remarks>
static class DecoderChooser
{
    /// <summary>Until the step time is known, a picture should be there within this.</summary>
    public const double FirstPictureMilliseconds = 50;

    /// <summary>Until the step time is known, a pinned decoder may take this.</summary>
    public const double FirstPinnedMilliseconds = 500;

    /// <summary>A decoder other than the current one must fit into this share of the budget.</summary>
    public const double ShareToSwitch = 0.7;

    /// <summary>Steps that nothing is known of are not expected to take longer.</summary>
    const double LikelyMilliseconds = 1000;

    /// <summary>Multiply-adds a thread does in a millisecond, before anything was measured: what a fast core does.</summary>
    public const double HopefulSpeed = 3e8;

    /// <summary>Speeds are carried over between decoders whose costs are at most this factor apart.</summary>
    const double ComparableCost = 64;

    /// <summary>Chooses among a format's decoders, best first; at least one.</summary>
    public static DecoderChoice Choose(IReadOnlyList<DecoderCandidate> decoders, in FrameDemand demand, DecoderCandidate? current)
    {
        DecoderChoice choice = ChooseInTime(decoders, demand, current);
        return choice.Rule != ChoiceRule.Pinned && demand.OnScreen is { IsUsable: true, IsLoaded: true } shown
            && shown.Description.Quality > choice.Decoder.Description.Quality && decoders.Contains(shown)
            ? choice with
            {
                Decoder = shown,
                Rule = shown.Description.Id == demand.Pin ? ChoiceRule.Pinned : ChoiceRule.OnScreen,
                PredictedMilliseconds = Predict(decoders, shown, demand.Cells, demand.Threads),
                Better = choice.Better == shown ? null : choice.Better,
            }
            : choice;
    }

    /// <summary>Whether a picture of one step still tells what the other's would: a tenth of the run apart, a quarter at the end of it, or the step after.</summary>
    public static bool IsNear(int shown, int step, int total, bool isLast) => step - shown <= Math.Max(1, total / (isLast ? 4 : 10));

    static DecoderChoice ChooseInTime(IReadOnlyList<DecoderCandidate> decoders, in FrameDemand demand, DecoderCandidate? current)
    {
        ChoiceRule rule = demand.IsLast ? ChoiceRule.LastStep : demand.StepMilliseconds is null ? ChoiceRule.FirstPicture : ChoiceRule.BeforeNextStep;
        double budget = rule switch
        {
            ChoiceRule.LastStep => demand.LastStepMilliseconds,
            ChoiceRule.FirstPicture => FirstPictureMilliseconds,
            _ => demand.StepMilliseconds!.Value,
        };

        DecoderCandidate? fastest = null;
        DecoderCandidate? better = null;
        DecoderCandidate? late = null;
        for (int i = 0; i < CountToChooseFrom(decoders, demand.Pin); i++)
        {
            DecoderCandidate decoder = decoders[i];
            if (decoder.Description.MultiplyAddsPerCell > demand.MultiplyAddsAtMost)
            {
                continue;
            }

            bool pinned = decoder.Description.Id == demand.Pin;
            double predicted = Predict(decoders, decoder, demand.Cells, demand.Threads);
            if (pinned && decoder.IsUsable && (demand.IsSinglePicture || (decoder.IsLoaded && predicted <= TimeForPinned(rule, budget, demand))))
            {
                return new(decoder, ChoiceRule.Pinned, predicted, budget, demand.Threads, demand.Pin, null);
            }

            late = pinned && decoder.IsUsable ? decoder : late;
            bool fits = predicted <= (rule == ChoiceRule.BeforeNextStep && decoder != current ? budget * ShareToSwitch : budget);
            if (fits && decoder.IsUsable && (decoder.IsLoaded || demand.IsSinglePicture) && demand.Pin == "auto")
            {
                return new(decoder, rule, predicted, budget, demand.Threads, demand.Pin, better);
            }

            if (demand.Pin == "auto" ? fits : pinned)
            {
                // Only the best is loaded: should it turn out too slow, the next one's turn comes.
                decoder.IsWanted |= better is null && decoder.IsUsable && !decoder.IsLoaded;
                better ??= decoder;
            }

            if (decoder.IsUsable && (fastest is null || Faster(decoders, decoder, fastest, demand)))
            {
                fastest = decoder;
            }
        }

        if (demand.Pin != "auto")
        {
            // The pinned one is missing, failed a moment ago or would come too late: as if none were pinned, but where it is there no dearer one stands in.
            long most = late?.Description.MultiplyAddsPerCell ?? long.MaxValue;
            DecoderChoice other = ChooseInTime(decoders, demand with { Pin = "auto", MultiplyAddsAtMost = most }, current);
            return other.Decoder == late
                ? other with { Pin = demand.Pin, Rule = ChoiceRule.Pinned, Better = null }
                : other with { Pin = demand.Pin, Better = better ?? other.Better };
        }

        fastest ??= decoders[^1];
        return new(fastest, ChoiceRule.FastestOfAll, Predict(decoders, fastest, demand.Cells, demand.Threads), budget, demand.Threads, demand.Pin, better);
    }

    /// <summary>The finest decoder that this run may come to: the pinned one, or the best expected to be ready within a step like those of the run before, or a second.</summary>
    public static DecoderCandidate FinestLikely(IReadOnlyList<DecoderCandidate> decoders, in FrameDemand demand)
    {
        DecoderCandidate? likely = null;
        for (int i = 0; i < CountToChooseFrom(decoders, demand.Pin); i++)
        {
            DecoderCandidate decoder = decoders[i];
            if (decoder.IsUsable && decoder.Description.Id == demand.Pin)
            {
                return decoder;
            }

            if (likely is null && decoder.IsUsable && Predict(decoders, decoder, demand.Cells, demand.Threads) <= Math.Max(LikelyMilliseconds, demand.StepMilliseconds ?? 0))
            {
                likely = decoder;
            }
        }

        return likely ?? decoders[^1];
    }

    static double TimeForPinned(ChoiceRule rule, double budget, in FrameDemand demand) =>
        rule == ChoiceRule.FirstPicture ? FirstPinnedMilliseconds
            : rule == ChoiceRule.LastStep ? budget
            : demand.StepsLeft is { } steps ? Math.Max(1, steps) * budget : double.PositiveInfinity;

    /// <summary>Milliseconds this decoder is expected to take.</summary>
    public static double Predict(IReadOnlyList<DecoderCandidate> decoders, DecoderCandidate decoder, long cells, int threads)
    {
        if (decoder.Times.IsMeasured)
        {
            return decoder.Times.Predict(cells, threads);
        }

        double cost = Math.Max(1, decoder.Description.MultiplyAddsPerCell);
        double speed = HopefulSpeed;
        double nearest = ComparableCost;
        for (int i = 0; i < decoders.Count; i++)
        {
            DecoderCandidate other = decoders[i];
            double otherCost = Math.Max(1, other.Description.MultiplyAddsPerCell);
            double apart = Math.Max(cost / otherCost, otherCost / cost);
            if (other.Times.IsMeasured && apart <= nearest)
            {
                nearest = apart;
                speed = otherCost / other.Times.Predict(1, 1);
            }
        }

        return cost * cells / speed / threads;
    }

    /// <summary>The <c>estimated</c> colours mean nothing: nobody gets them who did not ask and could have true ones.</summary>
    static int CountToChooseFrom(IReadOnlyList<DecoderCandidate> decoders, string pin) =>
        pin == "auto" && decoders.Count > 1 && decoders[^1].Description.Id == "estimated" && decoders[^2].IsUsable ? decoders.Count - 1 : decoders.Count;

    static bool Faster(IReadOnlyList<DecoderCandidate> decoders, DecoderCandidate decoder, DecoderCandidate than, in FrameDemand demand) =>
        decoder.IsLoaded != than.IsLoaded
            ? decoder.IsLoaded
            : Predict(decoders, decoder, demand.Cells, demand.Threads) < Predict(decoders, than, demand.Cells, demand.Threads);
}
