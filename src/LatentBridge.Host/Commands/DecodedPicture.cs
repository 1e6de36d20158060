using System.Globalization;
using LatentBridge.Decoders;
using LatentBridge.Latents;
using LatentBridge.Previews;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary>A picture that <c>decode</c> wrote.</summary>
/// <param name="File">The latent's file.</param>
/// <param name="Output">The picture's file.</param>
/// <param name="Input">The latent.</param>
/// <param name="Decoder">What decoded it.</param>
/// <param name="Result">Size and times.</param>
sealed record DecodedPicture(string File, string Output, LatentInput Input, DecoderDescription Decoder, PreviewResult Result)
{
    /// <summary>Pictures in the file: more than one in an animation.</summary>
    internal int Pictures { get; init; } = 1;

    internal string Size => string.Create(CultureInfo.InvariantCulture, $"{Result.Width}x{Result.Height}");

    internal string DecoderAndSource => $"{Decoder.Id} ({Decoder.Source})";

    /// <summary>What is odd about it, or nothing.</summary>
    internal string Note => Result.NonFiniteCount > 0 ? $"{Result.NonFiniteCount} values NaN or infinite" : Pictures > 1 ? $"{Pictures} pictures" : Input.IsGuess ? "format guessed" : "";

    internal static string Milliseconds(double value) => value.ToString("0.00 ms", CultureInfo.InvariantCulture);

    /// <summary>One line for a pipe.</summary>
    public override string ToString() =>
        $"{Output}  {Size}  {Input.Format.Id}  {DecoderAndSource}  decode {Milliseconds(Result.DecodeMilliseconds)}  encode {Milliseconds(Result.EncodeMilliseconds)}"
        + (Note.Length > 0 ? $"  ({Note})" : "");

    internal void WriteJson(JsonTextWriter json)
    {
        json.WriteStartObject();
        Write("file", File);
        Write("output", Output);
        Write("format", Input.Format.Id);
        Write("formatGuessed", Input.IsGuess);
        Write("formatReason", Input.FormatReason);
        Write("axisOrder", Input.Loaded.AxisOrder);
        Write("space", Input.Loaded.Space == LatentSpace.Vae ? "vae" : "sampler");
        json.WritePropertyName("notes");
        json.WriteStartArray();
        foreach (string note in Input.Loaded.Notes)
        {
            json.WriteValue(note);
        }

        json.WriteEndArray();
        Write("decoder", Decoder.Id);
        Write("source", Decoder.Source);
        Write("width", Result.Width);
        Write("height", Result.Height);
        Write("pictures", Pictures);
        Write("bytes", Result.ByteLength);
        Write("decodeMilliseconds", Math.Round(Result.DecodeMilliseconds, 3));
        Write("encodeMilliseconds", Math.Round(Result.EncodeMilliseconds, 3));
        Write("nonFinite", Result.NonFiniteCount);
        json.WriteEndObject();

        void Write(string name, object value)
        {
            json.WritePropertyName(name);
            json.WriteValue(value);
        }
    }
}
