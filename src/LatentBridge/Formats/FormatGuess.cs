namespace LatentBridge.Formats;

/// <summary>A format that was guessed, and why that one.</summary>
/// <param name="Format">The guess; <see cref="LatentFormat.Unknown"/> when nothing fits.</param>
/// <param name="Reason">A sentence for status and logs that says that it is a guess, by what rule, and what else it could be.</param>
public readonly record struct FormatGuess(LatentFormat Format, string Reason)
{
    /// <summary>Cells from which a latent of 4 channels is taken for SDXL: 96 x 96, pictures of 768 x 768.</summary>
    public const long SdxlFromCells = (96 * 96) + 1;

    /// <summary>Cells that a side has at least, where the array can be read in another way, too.</summary>
    const long SmallestSide = 5;

    /// <summary>Cells that a side has at least, where 16 behind it are channels.</summary>
    const long LargeSide = 24;

    /// <summary>Guesses from an array's axes, outermost first.</summary>
    /// <remarks>
    /// Five axes are video: 16 channels Wan21, 48 Wan22, 12 Mochi, 24 MiniMaxH3Video, 32 HunyuanVideo15, 64
    /// HunyuanImage21Refiner, 128 LTXV. Four are pictures: 3 pixel space, 4 SD15 up to 96 x 96 cells and SDXL above, 8 ACEAudio where the height
    /// is its 16, 16 Flux, 64 QwenImage21, 128 Flux2, else as for video. Where no format has so many channels there, a clip without its batch
    /// (<c>[C,T,H,W]</c>), frames first (<c>[B,T,C,H,W]</c>) and channels last are tried. Three are <c>[C,H,W]</c> when the first axis
    /// is 3, 4, 12, 16, 24, 48 or 128, else <c>[B,C,N]</c>: 64 StableAudio1, 128 MiniMaxMusic3, 256 StableAudio3, else tokens of a square picture
    /// (64 Flux, 128 Flux2), else <c>[H,W,C]</c> of 3, 4 or 16. Two are <c>[C,N]</c>. Axes beyond the last five are a batch.
    /// </remarks>
    public static FormatGuess From(ReadOnlySpan<long> axes)
    {
        switch (axes.Length)
        {
            case > 5:
                return From(axes[^5..]);
            case 5:
                return Video(axes[1]) ?? Picture(axes[1], axes[3], axes[4])
                    ?? Odd(axes[2], axes[3], axes[4])
                    ?? ChannelsLast(axes[4], axes[2], axes[3])
                    ?? Unknown(axes[1], 3);
            case 4:
                FormatGuess? usual = Picture(axes[1], axes[2], axes[3]) ?? Video(axes[1]);
                FormatGuess? channelsLast = ChannelsLast(axes[3], axes[1], axes[2]);
                return (Math.Min(axes[2], axes[3]) < SmallestSide ? channelsLast : null)
                    ?? usual
                    ?? Odd(axes[0], axes[2], axes[3])
                    ?? channelsLast
                    ?? Unknown(axes[1], 2);
            case 3 when axes[0] is 3 or 4 or 12 or 16 or 24 or 48 or 128:
                return (Picture(axes[0], axes[1], axes[2]) ?? Video(axes[0]))!.Value;
            case 3:
                return Sequence(axes[1])
                    ?? Tokens(axes[1], axes[2])
                    ?? ChannelsLast(axes[2], axes[0], axes[1])
                    ?? Unknown(axes[0], 2);
            case 2:
                return Sequence(axes[0]) ?? Unknown(axes[0], 1);
            default:
                return Unknown(axes.Length > 1 ? axes[1] : 1, 2);
        }
    }

    /// <summary>A clip in an unusual order; of red, green and blue it could be frames as well.</summary>
    static FormatGuess? Odd(long channels, long height, long width) =>
        channels == 3 || Math.Min(height, width) < SmallestSide ? null : Video(channels) ?? Picture(channels, height, width);

    /// <summary>Channels behind height and width; many of them could be a width as well.</summary>
    static FormatGuess? ChannelsLast(long channels, long height, long width) => channels switch
    {
        3 or 4 when Math.Min(height, width) >= SmallestSide => Picture(channels, height, width),
        16 when Math.Min(height, width) >= LargeSide => Picture(channels, height, width),
        _ => null,
    };

    static FormatGuess? Tokens(long count, long values) => (values, (long)Math.Sqrt(count)) switch
    {
        (64, var side) when side * side == count => Say(16, "Flux", "tokens of 2 x 2 cells; could be SD3 and others, too"),
        (128, var side) when side * side == count => Say(128, "Flux2", "tokens; could be LTXV, too"),
        _ => null,
    };

    static FormatGuess? Picture(long channels, long height, long width) => channels switch
    {
        3 => Say(channels, "ChromaRadiance", "pixel space"),
        4 when height * width >= SdxlFromCells => Say(channels, "SDXL", "more than 96 x 96 cells; could be SD15, too"),
        4 => Say(channels, "SD15", "at most 96 x 96 cells; could be SDXL, too"),
        8 when height == 16 => Say(channels, "ACEAudio", "the only one of 8 channels and a height of 16"),
        16 => Say(channels, "Flux", "could be SD3, Wan21 (Qwen-Image) and others, too"),
        64 => Say(channels, "QwenImage21", "could be HunyuanImage21, too"),
        128 => Say(channels, "Flux2", "one frame of LTXV would look the same"),
        _ => null,
    };

    static FormatGuess? Video(long channels) => channels switch
    {
        12 => Say(channels, "Mochi", "the only one"),
        16 => Say(channels, "Wan21", "could be HunyuanVideo, Cosmos1CV8x8x8 and others, too"),
        24 => Say(channels, "MiniMaxH3Video", "the only one"),
        32 => Say(channels, "HunyuanVideo15", "the only one for video"),
        48 => Say(channels, "Wan22", "the only one"),
        64 => Say(channels, "HunyuanImage21Refiner", "the only one for video"),
        128 => Say(channels, "LTXV", "could be LTXAV, too"),
        _ => null,
    };

    static FormatGuess? Sequence(long channels) => channels switch
    {
        64 => Say(channels, "StableAudio1", "could be ACEAudio15, YuE2 or Hunyuan3Dv2, too"),
        128 => Say(channels, "MiniMaxMusic3", "the only one for sound"),
        256 => Say(channels, "StableAudio3", "the only one"),
        _ => null,
    };

    static FormatGuess Say(long channels, string id, string why) =>
        new(LatentFormats.Get(id), $"format guessed as {id} from {channels} channels ({why}); name the format to be sure");

    static FormatGuess Unknown(long channels, int dimensions) => new(
        LatentFormat.Unknown((int)Math.Clamp(channels, 1, Latents.LatentShape.MaximumAxis), dimensions),
        $"no format known for {channels} channels; its colours are estimated from the latent itself");
}
