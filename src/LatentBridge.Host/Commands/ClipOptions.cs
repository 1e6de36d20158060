using System.CommandLine;
using LatentBridge.Formats;
using LatentBridge.ImageSharp;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary><c>--animate</c> and <c>--fps</c>: a video as a moving picture.</summary>
sealed class ClipOptions
{
    const int UsualRate = 16;
    const int MaximumRate = 120;

    readonly Option<double> _rate = new("--fps") { Description = "Pictures a second of the animation; 0: those of the model.", HelpName = "N" };
    readonly IReadOnlyList<IAnimationEncoder> _encoders = ImageSharpEncoders.Animations();

    internal ClipOptions(Command command)
    {
        string[] endings = [".png", .. _encoders.Select(encoder => $".{encoder.Extension}")];
        File = new("--animate") { Description = $"Write a video as one moving picture of this name: {string.Join(" or ", endings)} (.png: APNG).", HelpName = "FILE" };
        File.Validators.Add(result =>
        {
            if (result.Tokens is [var name] && !endings.Contains(Path.GetExtension(name.Value), StringComparer.OrdinalIgnoreCase))
            {
                result.AddError($"--animate {name.Value}: expected a name that ends in {string.Join(" or ", endings)}.");
            }
        });
        _rate.Validators.Add(result =>
        {
            if (result.Tokens is [var rate] && (!double.TryParse(rate.Value, System.Globalization.CultureInfo.InvariantCulture, out double value) || value is not (>= 0 and <= MaximumRate)))
            {
                result.AddError($"--fps {rate.Value}: expected a number from 0 to {MaximumRate}.");
            }
        });
        command.Add(File, _rate);
    }

    /// <summary>The animation's name.</summary>
    internal Option<string?> File { get; }

    internal bool IsAsked(ParseResult parsed) => parsed.GetValue(File) is not null;

    /// <summary>Pictures a second of the whole video.</summary>
    internal double Rate(ParseResult parsed, LatentFormat format) =>
        parsed.GetValue(_rate) is > 0 and var rate ? rate : format.FramesPerSecond > 0 ? format.FramesPerSecond : UsualRate;

    /// <summary>What gathers the pictures.</summary>
    internal ClipWriter Writer(ParseResult parsed, double rate)
    {
        string ending = Path.GetExtension(parsed.GetValue(File) ?? "").TrimStart('.');
        return new(_encoders.FirstOrDefault(encoder => encoder.Extension.Equals(ending, StringComparison.OrdinalIgnoreCase)), rate);
    }
}
