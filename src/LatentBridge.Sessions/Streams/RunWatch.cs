using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Simd;

namespace LatentBridge.Sessions;

/// <summary>Looks at each latent of a run whether the run goes wrong. docs/warnings.md has the limits and what they were measured on.</summary>
/// <remarks>
/// The worker's alone. Keeps the last picture's latent to see whether the next one differs; allocates nothing after the first of a size. Every format
/// that shows pictures has values with a deviation near 1 in the sampler's scale, so one set of limits does for all. In the first quarter of a run
/// estimates are blurred and may be far off: only NaN and infinities count there, as where the format or the number of steps is not known.
/// </remarks>
sealed class RunWatch
{
    /// <summary>A picture whose every channel deviates by less is one colour. Encoders give plain black or white 0.1 and more, of the picture's borders.</summary>
    public const double FlatDeviation = 0.02;

    /// <summary>Values with a larger root mean square explode; natural ones have 0.4 to 1.2.</summary>
    public const double ExplodingRms = 10;

    /// <summary>Two pictures are the same when no value differs by more than this share of the deviation.</summary>
    public const double SameShare = 1e-5;

    /// <summary>Frames of a video that differ by less than this share of the deviation (root mean square) do not move.</summary>
    public const double MotionShare = 0.01;

    const int StillSteps = 4;
    const int StillShareOfRun = 5;

    float[] _before = [];
    int _beforeLength;
    ulong? _run;
    int _step;
    int _changedStep;
    int _same;
    bool _hasMoved;

    /// <summary>What is wrong, the gravest first; null when nothing is.</summary>
    /// <param name="header">Of the latent.</param>
    /// <param name="shown">Holds what is shown of it.</param>
    /// <param name="frames">Holds all its frames; null where one crossed alone.</param>
    /// <param name="isFormatKnown">False where the format was guessed.</param>
    public RunAlarm? Look(in LatentSlotHeader header, PreviewRenderer shown, PreviewRenderer? frames, bool isFormatKnown)
    {
        if (shown.NonFiniteCount > 0 || frames?.NonFiniteCount > 0)
        {
            _run = null; // what replaced those values is nothing to compare the next picture with
            return RunAlarm.Nan;
        }

        if (!isFormatKnown || shown.Format.Rgb is null || header.TotalSteps == 0)
        {
            return null;
        }

        (double deviation, double rms) = Measure(shown);
        CountSame(header, shown, deviation);
        int done = header.Step + 1;
        if (4 * done <= header.TotalSteps)
        {
            return null;
        }

        int share = (header.TotalSteps + StillShareOfRun - 1) / StillShareOfRun;
        return deviation < FlatDeviation && !shown.Format.PixelSpace ? RunAlarm.Flat
            : rms > ExplodingRms ? RunAlarm.Exploding
            : _same >= 2 && _step - _changedStep >= Math.Max(StillSteps, share) && header.TotalSteps - done >= share ? RunAlarm.Still
            : 2 * done > header.TotalSteps && IsMotionless(frames, deviation) ? RunAlarm.Motionless
            : null;
    }

    /// <summary>The largest deviation of a channel, and the root mean square: of a grid those of the picture that is best off.</summary>
    static (double Deviation, double Rms) Measure(PreviewRenderer shown)
    {
        (double deviation, double rms) = (0, double.PositiveInfinity);
        for (int item = 0; item < shown.ItemCount; item++)
        {
            LatentPlanes planes = shown.Planes(item);
            double squares = 0;
            for (int channel = 0; channel < planes.Channels; channel++)
            {
                ValueMoments moments = MomentsKernel.Add(ValueMoments.None, planes.Plane(channel), Kernel.Width);
                deviation = Math.Max(deviation, moments.Deviation);
                squares += moments.SumOfSquares;
            }

            rms = Math.Min(rms, Math.Sqrt(squares / planes.Values.Length));
        }

        return (deviation, rms);
    }

    /// <summary>Compares with the picture before, and keeps this one.</summary>
    void CountSame(in LatentSlotHeader header, PreviewRenderer shown, double deviation)
    {
        int length = shown.ItemCount * shown.Planes(0).Values.Length;
        bool isNext = _run == header.Run && header.Step > _step && length == _beforeLength;
        if (_before.Length < length)
        {
            _before = GC.AllocateUninitializedArray<float>(length);
        }

        float largest = 0;
        for (int item = 0; item < shown.ItemCount; item++)
        {
            ReadOnlySpan<float> values = shown.Planes(item).Values;
            Span<float> before = _before.AsSpan(item * values.Length, values.Length);
            if (isNext)
            {
                largest = Math.Max(largest, MomentsKernel.Compare(values, before, Kernel.Width).Largest);
            }

            values.CopyTo(before);
        }

        _hasMoved &= _run == header.Run;
        (_run, _step, _beforeLength) = (header.Run, header.Step, length);
        bool isSame = isNext && largest <= SameShare * deviation;
        (_same, _changedStep) = isSame ? (_same + 1, _changedStep) : (0, header.Step);
    }

    bool IsMotionless(PreviewRenderer? frames, double deviation)
    {
        // The first frame of a causal video stands for one picture, the others for several: those two differ in any case.
        int first = frames?.Format.IsCausalVideo == true ? 1 : 0;
        if (frames is null || _hasMoved || frames.FrameCount < first + 2)
        {
            return false;
        }

        for (int frame = first; frame < frames.FrameCount - 1 && !_hasMoved; frame++)
        {
            frames.ShowFrame(frame + 1);
            LatentPlanes planes = frames.Planes(0);
            ReadOnlySpan<float> both = planes.WithFramesBefore(1);
            ReadOnlySpan<float> before = both[..planes.Values.Length];
            double squares = MomentsKernel.Compare(planes.Values, before, Kernel.Width).SumOfSquares;
            _hasMoved = Math.Sqrt(squares / before.Length) >= MotionShare * deviation;
        }

        return !_hasMoved;
    }
}
