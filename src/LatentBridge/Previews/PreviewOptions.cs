using LatentBridge.Imaging.Scaling;

namespace LatentBridge.Previews;

/// <summary>What picture is wanted of a latent; the members are the options of <c>docs/protocol.md</c>.</summary>
public sealed record PreviewOptions
{
    /// <summary>Longest side of a picture, in pixels, at most.</summary>
    public const int MaximumSize = 16384;

    /// <summary>The defaults.</summary>
    public static PreviewOptions Default { get; } = new();

    /// <summary>A decoder's id, or <c>auto</c>.</summary>
    public string Decoder { get; init; } = "auto";

    /// <summary>Longest side of the picture in pixels, 0 to 16384; 0: the decoder's own size.</summary>
    public int Size { get; init; }

    /// <summary>How the picture is brought to <see cref="Size"/>.</summary>
    public ImageScaling Scaling { get; init; } = ImageScaling.Smooth;

    /// <summary>Which of a batch is shown.</summary>
    public BatchChoice Batch { get; init; }

    /// <summary>0-based, for <see cref="BatchChoice.Item"/>; one beyond the last means the last.</summary>
    public int Item { get; init; }

    /// <summary>Which frame of a video is shown.</summary>
    public FrameChoice Frame { get; init; } = FrameChoice.Auto;

    /// <summary>What the bytes are.</summary>
    public PreviewEncoding Encoding { get; init; } = PreviewEncoding.Png;

    /// <summary>Of a JPEG or WebP, 1 (smallest) to 100 (best).</summary>
    public int Quality { get; init; } = 85;

    /// <summary>Threads a decode may use, 0 to 256; 0: half of the idle cores.</summary>
    public int Threads { get; init; }

    /// <summary>Whether colours that were learned from the model's own pictures may be used.</summary>
    public bool Calibrate { get; init; } = true;

    /// <summary>For the last step the best decoder predicted to be ready within this time is taken, or within a hundredth of the sampling's time where that is longer; 0 to 1000.</summary>
    public int LastStepMilliseconds { get; init; } = 50;

    /// <summary>Whether a video is shown as a moving picture too, made between the steps.</summary>
    public bool Clip { get; init; }

    /// <summary>Pictures of a moving picture at most, 2 to 256.</summary>
    public int ClipPictures { get; init; } = 32;

    /// <summary>Pictures a second of the finished video, 0 to 120; 0: those of the model.</summary>
    public int ClipRate { get; init; }

    /// <summary>Kilobytes a second that moving pictures may take at most, 16 to 1,048,576.</summary>
    public int ClipKilobytes { get; init; } = 1024;

    /// <summary>The table of the options. To add one: a property above, a row here, and the code that obeys it.</summary>
    public static IReadOnlyList<PreviewOption> All { get; } =
    [
        PreviewOption.Text("decoder", "auto: the best one whose picture is ready before the next step", o => o.Decoder, (o, value) => o with { Decoder = value }),
        PreviewOption.Number("size", "Longest side in pixels; 0: the decoder's own", 0, MaximumSize, o => o.Size, (o, value) => o with { Size = value }),
        PreviewOption.Word("scaling", "How a picture is brought to another size", o => o.Scaling, (o, value) => o with { Scaling = value }),
        PreviewOption.Word("batch", "All pictures of a batch in a grid, only the first, or one of them", o => o.Batch, (o, value) => o with { Batch = value }),
        PreviewOption.Number("item", "Which picture of a batch is shown, counted from 0", 0, PreviewOption.MaximumIndex, o => o.Item, (o, value) => o with { Item = value }).OfLatent(),
        PreviewOption.FrameOfVideo("frame", "Which frame of a video is shown", o => o.Frame, (o, value) => o with { Frame = value }).OfLatent(),
        PreviewOption.Word("encoding", "What a picture's bytes are", o => o.Encoding, (o, value) => o with { Encoding = value }),
        PreviewOption.Number("quality", "Of JPEG and WebP, 1 (smallest) to 100 (best)", 1, 100, o => o.Quality, (o, value) => o with { Quality = value }),
        PreviewOption.Number("threads", "Threads of a decode; 0: half of the idle cores", 0, 256, o => o.Threads, (o, value) => o with { Threads = value }),
        PreviewOption.Number(
            "lastStepMilliseconds", "How long the picture of the last step may take", 0, 1000, o => o.LastStepMilliseconds, (o, value) => o with { LastStepMilliseconds = value }),
        PreviewOption.Truth(
            "calibrate", "From its finished pictures, which are not kept; used where they come nearer than the built-in ones", o => o.Calibrate, (o, value) => o with { Calibrate = value }),
        PreviewOption.Truth("clip", "Show a video as a moving picture, made between the steps", o => o.Clip, (o, value) => o with { Clip = value }),
        PreviewOption.Number("clipPictures", "Pictures of a moving picture at most", 2, 256, o => o.ClipPictures, (o, value) => o with { ClipPictures = value }),
        PreviewOption.Number("clipRate", "Pictures a second of the finished video; 0: those of the model", 0, 120, o => o.ClipRate, (o, value) => o with { ClipRate = value }),
        PreviewOption.Number("clipKilobytes", "Kilobytes a second that moving pictures may take", 16, 1 << 20, o => o.ClipKilobytes, (o, value) => o with { ClipKilobytes = value }),
    ];
}
