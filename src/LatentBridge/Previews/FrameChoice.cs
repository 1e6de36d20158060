using System.Globalization;
using LatentBridge.Formats;

namespace LatentBridge.Previews;

/// <summary>Which frame of a video is shown: the one that suits the format, the first, the middle, the last, or a 0-based one.</summary>
public readonly record struct FrameChoice
{
    const int MiddleFrame = -1;
    const int LastFrame = -2;
    const int SuitableFrame = -3;

    readonly int _frame;

    FrameChoice(int frame) => _frame = frame;

    /// <summary>The first frame if the VAE encodes it as a separate picture, because colour maps are fitted to such pictures; else the middle frame.</summary>
    public static FrameChoice Auto => new(SuitableFrame);

    /// <summary>Frame 0.</summary>
    public static FrameChoice First => new(0);

    /// <summary>Frame count / 2, rounded down: the later one of two.</summary>
    public static FrameChoice Middle => new(MiddleFrame);

    /// <summary>The last frame.</summary>
    public static FrameChoice Last => new(LastFrame);

    /// <summary>The frame of that 0-based index; one beyond the last means the last.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static FrameChoice At(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new(index);
    }

    /// <summary>Reads <c>auto</c>, <c>first</c>, <c>middle</c>, <c>last</c> or a number from 0.</summary>
    public static bool TryParse(string? text, out FrameChoice choice)
    {
        switch (text)
        {
            case "auto":
                choice = Auto;
                return true;
            case "first":
                choice = First;
                return true;
            case "middle":
                choice = Middle;
                return true;
            case "last":
                choice = Last;
                return true;
            default:
                bool isIndex = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int index);
                choice = new(isIndex ? index : MiddleFrame);
                return isIndex;
        }
    }

    /// <summary>The 0-based index among <paramref name="frameCount"/> frames (at least 1) of a latent of <paramref name="format"/>.</summary>
    public int IndexOf(int frameCount, LatentFormat format) => _frame switch
    {
        SuitableFrame => format.IsCausalVideo ? 0 : frameCount / 2,
        MiddleFrame => frameCount / 2,
        LastFrame => frameCount - 1,
        _ => Math.Min(_frame, frameCount - 1),
    };

    /// <inheritdoc/>
    public override string ToString() => _frame switch
    {
        SuitableFrame => "auto",
        0 => "first",
        MiddleFrame => "middle",
        LastFrame => "last",
        _ => _frame.ToString(CultureInfo.InvariantCulture),
    };
}
