using System.CommandLine;
using LatentBridge.Files;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary>The options of every command that reads latents.</summary>
sealed class LatentOptions
{
    readonly Option<string?> _format = new Option<string?>("--format", "-f")
    {
        Description = "Latent format: SD15, SDXL, SD3, Flux, Flux2, Wan21 ...; `models formats` shows them. Default: the file's own, else a guess.",
        HelpName = "ID",
    }.OfLatentFormats();

    readonly Option<string?> _space = new("--space") { Description = "Scale of the values: the sampler's or the VAE's. Default: what the file says, else the sampler's.", HelpName = "sampler|vae" };

    readonly Option<string?> _key = new("--key") { Description = "Tensor to use if the file holds several.", HelpName = "NAME" };

    readonly Option<string?> _axes = new("--axes") { Description = "Order of the axes, one letter each: B batch, C channels, T frames, H height, W width, N tokens. Default: what the file says, else what fits the format.", HelpName = "BCHW" };

    readonly PreviewOptionSet _frame;

    /// <summary>Adds the options to the command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="takesAllFrames">Whether it can show all frames of a video.</param>
    internal LatentOptions(Command command, bool takesAllFrames = false)
    {
        _space.AcceptOnlyFromAmong("sampler", "vae");
        command.Add(_format, _space, _key, _axes);
        _frame = new(command, PreviewOptions.Default with { Frame = FrameChoice.Middle }, ["frame"], takesAllFrames ? "all" : null);
    }

    /// <summary>Reads a file as the options say.</summary>
    /// <exception cref="InputException">It is not readable as a latent.</exception>
    internal LatentInput Open(ParseResult parsed, string path) => LatentInput.Open(path, Request(parsed));

    /// <summary>What the options say of the latents.</summary>
    internal LatentRequest Request(ParseResult parsed) =>
        new() { Key = parsed.GetValue(_key), Space = Space(parsed), FormatId = parsed.GetValue(_format), Axes = parsed.GetValue(_axes) };

    /// <summary>The options with the frame that is wanted.</summary>
    internal PreviewOptions Apply(ParseResult parsed, PreviewOptions options) => _frame.Apply(parsed, options);

    /// <summary>Whether all frames of a video are wanted.</summary>
    internal bool WantsAllFrames(ParseResult parsed) => _frame.HasAlso(parsed);

    LatentSpace? Space(ParseResult parsed) => parsed.GetValue(_space) switch
    {
        "sampler" => LatentSpace.Sampler,
        "vae" => LatentSpace.Vae,
        _ => null,
    };
}
