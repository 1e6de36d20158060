using System.Text.Encodings.Web;
using System.Text.Json;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Control;

/// <summary>The table of preview options as JSON: what <c>hello</c> answers, and the file that ships with the shim.</summary>
public static class OptionTable
{
    /// <summary>The content of <c>python/latentbridge/options.json</c>, its last line feed included.</summary>
    public static byte[] ToFile()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            Write(json);
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    /// <summary>One object; a member is an option with its default, what it takes, and its help.</summary>
    internal static void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        foreach (PreviewOption option in PreviewOptions.All)
        {
            json.WriteStartObject(option.Name);
            json.WritePropertyName("default");
            WriteValue(json, option.Default);
            if (option.Words.Count > 0)
            {
                json.WriteStartArray("choices");
                foreach (string word in option.Words)
                {
                    json.WriteStringValue(word);
                }

                json.WriteEndArray();
            }

            if (option.Range is { } range)
            {
                json.WriteNumber("minimum", range.Minimum);
                json.WriteNumber("maximum", range.Maximum);
            }

            json.WriteString("help", option.Help);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    internal static void WriteValue(Utf8JsonWriter json, object value)
    {
        switch (value)
        {
            case int number:
                json.WriteNumberValue(number);
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            default:
                json.WriteStringValue((string)value);
                break;
        }
    }
}
