using System.CommandLine;
using LatentBridge.ImageSharp;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary><c>--encode</c> and <c>--quality</c>: PNG, and what <see cref="ImageSharpEncoders"/> adds.</summary>
sealed class PictureKind
{
    const string Png = "png";

    readonly Option<string> _encode = new("--encode") { DefaultValueFactory = _ => Png };
    readonly PreviewOptionSet _quality;

    internal PictureKind(Command command)
    {
        string[] names = [Png, .. Encoders.Select(encoder => NameOf(encoder.Encoding))];
        _encode.HelpName = string.Join('|', names);
        _encode.Description = "Kind of picture.";
        _encode.AcceptOnlyFromAmong(names);
        command.Add(_encode);
        _quality = new(command, PreviewOptions.Default, "quality");
    }

    /// <summary>For the renderer.</summary>
    internal IReadOnlyList<IPictureEncoder> Encoders { get; } = ImageSharpEncoders.Pictures();

    internal string Name(ParseResult parsed) => parsed.GetValue(_encode)!;

    /// <summary>The options with the kind and quality that are wanted.</summary>
    internal PreviewOptions Apply(ParseResult parsed, PreviewOptions options) => _quality.Apply(parsed, options) with
    {
        Encoding = Encoders.FirstOrDefault(encoder => NameOf(encoder.Encoding) == Name(parsed))?.Encoding ?? PreviewEncoding.Png,
    };

    static string NameOf(PreviewEncoding encoding) => encoding == PreviewEncoding.Jpeg ? "jpeg" : "webp";
}
