using LatentBridge.Imaging.Scaling;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Control;

/// <summary>Those options that a message names; the others stay as they are.</summary>
sealed class OptionsPatch
{
    public string? Decoder { get; set; }

    public long? Size { get; set; }

    public string? Scaling { get; set; }

    public string? Batch { get; set; }

    public string? Encoding { get; set; }

    public long? Quality { get; set; }

    public long? Threads { get; set; }

    public long? LastStepMilliseconds { get; set; }

    public bool? Calibrate { get; set; }

    public void Clear()
    {
        Calibrate = null;
        Decoder = Scaling = Batch = Encoding = null;
        Size = Quality = Threads = LastStepMilliseconds = null;
    }

    /// <summary>The options with these changes.</summary>
    /// <param name="options">What holds where nothing is said.</param>
    /// <param name="encodings">Those the host has.</param>
    /// <exception cref="ControlException">A word is not one of those there are.</exception>
    public PreviewOptions Apply(PreviewOptions options, IReadOnlyList<PreviewEncoding> encodings) => options with
    {
        Decoder = Decoder ?? options.Decoder,
        Size = (int)(Size ?? options.Size),
        Scaling = Scaling switch
        {
            null => options.Scaling,
            "smooth" => ImageScaling.Smooth,
            "nearest" => ImageScaling.Nearest,
            _ => throw Unknown("scaling", Scaling, "smooth, nearest"),
        },
        Batch = Batch switch
        {
            null => options.Batch,
            "first" => BatchChoice.First,
            "grid" => BatchChoice.Grid,
            _ => throw Unknown("batch", Batch, "first, grid"),
        },
        Encoding = Encoding is null ? options.Encoding : FindEncoding(Encoding, encodings),
        Quality = (int)(Quality ?? options.Quality),
        Threads = (int)(Threads ?? options.Threads),
        LastStepMilliseconds = (int)(LastStepMilliseconds ?? options.LastStepMilliseconds),
        Calibrate = Calibrate ?? options.Calibrate,
    };

    static PreviewEncoding FindEncoding(string name, IReadOnlyList<PreviewEncoding> encodings)
    {
        foreach (PreviewEncoding encoding in encodings)
        {
            if (encoding.Name() == name)
            {
                return encoding;
            }
        }

        throw Unknown("encoding", name, $"{string.Join(", ", encodings.Select(e => e.Name()))} (this host has no other)");
    }

    static ControlException Unknown(string name, string found, string known) =>
        new(ControlException.InvalidParams, $"\"{name}\" is \"{found}\", known are {known}.");
}
