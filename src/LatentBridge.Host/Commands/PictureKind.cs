using System.CommandLine;
using LatentBridge.ImageSharp;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary><c>--encode</c> and <c>--quality</c>: PNG, and what <see cref="ImageSharpEncoders"/> adds.</summary>
sealed class PictureKind
{
    const string Png = "png";

    readonly Option<string> _encode = new("--encode") { DefaultValueFactory = _ => Png };
    readonly Option<int> _quality = new Option<int>("--quality") { Description = "Quality of JPEG and WebP, 1 (smallest) to 100 (best).", HelpName = "N", DefaultValueFactory = _ => PreviewOptions.Default.Quality }.Within(1, 100);

    internal PictureKind(Command command)
    {
        string[] names = [Png, .. Encoders.Select(encoder => NameOf(encoder.Encoding))];
        _encode.HelpName = string.Join('|', names);
        _encode.Description = "Kind of picture.";
        _encode.AcceptOnlyFromAmong(names);
        command.Add(_encode, _quality);
    }

    /// <summary>For the renderer.</summary>
    internal IReadOnlyList<IPictureEncoder> Encoders { get; } = ImageSharpEncoders.Pictures();

    internal string Name(ParseResult parsed) => parsed.GetValue(_encode)!;

    internal PreviewEncoding Encoding(ParseResult parsed) => Encoders.FirstOrDefault(encoder => NameOf(encoder.Encoding) == Name(parsed))?.Encoding ?? PreviewEncoding.Png;

    internal int Quality(ParseResult parsed) => parsed.GetValue(_quality);

    static string NameOf(PreviewEncoding encoding) => encoding == PreviewEncoding.Jpeg ? "jpeg" : "webp";
}
