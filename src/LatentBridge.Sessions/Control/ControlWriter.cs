using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Control;

/// <summary>Writes the host's lines, one whole line per call of the output. Safe from any thread.</summary>
/// <remarks>
/// A line goes straight out on the caller's thread; nothing is queued, so a reader that stopped costs no memory here. It blocks
/// once the pipe's own buffer is full, which holds hundreds of lines where at most a few dozen can be open (slots bound them).
/// </remarks>
sealed class ControlWriter(Action<ReadOnlyMemory<byte>> output) : IDisposable
{
    readonly Lock _gate = new();
    readonly ArrayBufferWriter<byte> _line = new(1024);

    // Only what JSON demands is escaped: a line goes to a JSON reader and to nobody else.
    readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    public void Result(object? id, Action<Utf8JsonWriter> writeResult)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = Begin();
            WriteId(json, id);
            json.WritePropertyName("result");
            writeResult(json);
            End(json);
        }
    }

    public void Error(object? id, int code, string message, long needed = 0)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = Begin();
            WriteId(json, id);
            json.WritePropertyName("error");
            json.WriteStartObject();
            json.WritePropertyName("code");
            json.WriteNumberValue(code);
            json.WritePropertyName("message");
            json.WriteStringValue(message);
            if (needed > 0)
            {
                json.WritePropertyName("data");
                json.WriteStartObject();
                Member(json, "needed", needed);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            End(json);
        }
    }

    public void Released(int slot, ulong sequence)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = BeginNotification("released");
            Member(json, "slot", slot);
            Member(json, "sequence", (long)sequence);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Loading(string method, string decoder, string? file)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = BeginNotification(method);
            Member(json, "decoder", decoder);
            Member(json, "file", file);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Ready(in ReadyPreview preview)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = BeginNotification("ready");
            WritePreview(json, preview);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Clip(in ReadyPreview preview, in ClipPlace place)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = BeginNotification("clip");
            WritePreview(json, preview);
            Member(json, "picture", place.Picture);
            Member(json, "pictures", place.Pictures);
            Member(json, "sharp", place.Sharp);
            Real(json, "rate", place.Rate);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Decoded(object? id, in ReadyPreview preview)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = Begin();
            WriteId(json, id);
            json.WritePropertyName("result");
            json.WriteStartObject();
            WritePreview(json, preview);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Dropped(in DroppedLatent dropped)
    {
        lock (_gate)
        {
            Utf8JsonWriter json = BeginNotification("dropped");
            Member(json, "sequence", (long)dropped.Sequence);
            json.WritePropertyName("reason");
            json.WriteStringValue(dropped.Reason.Name());
            if (dropped.Detail is not null)
            {
                json.WritePropertyName("detail");
                json.WriteStringValue(dropped.Detail);
            }

            if (dropped.NeededByteLength > 0)
            {
                Member(json, "needed", dropped.NeededByteLength);
            }

            json.WriteEndObject();
            End(json);
        }
    }

    public static void Member(Utf8JsonWriter json, string name, long value)
    {
        json.WriteNumber(name, value);
    }

    public static void Member(Utf8JsonWriter json, string name, string? value)
    {
        json.WriteString(name, value);
    }

    /// <summary>A real number with at most three decimals; null stays null.</summary>
    public static void Real(Utf8JsonWriter json, string name, double? value)
    {
        json.WritePropertyName(name);
        if (value is { } real && double.IsFinite(real))
        {
            json.WriteNumberValue(Math.Round(real, 3));
        }
        else
        {
            json.WriteNullValue();
        }
    }

    public void Dispose() => _json.Dispose();

    static void WritePreview(Utf8JsonWriter json, in ReadyPreview preview)
    {
        PreviewResult picture = preview.Picture;
        Member(json, "slot", preview.Slot);
        Member(json, "sequence", (long)preview.Sequence);
        Member(json, "decoder", preview.Decoder);
        Real(json, "decodeMilliseconds", picture.DecodeMilliseconds);
        Real(json, "encodeMilliseconds", picture.EncodeMilliseconds);
        Real(json, "waitMilliseconds", preview.WaitMilliseconds);
        if (preview.Note is { } note)
        {
            Member(json, "note", note);
        }

        if (preview.Alarm is { } alarm)
        {
            Member(json, "alarm", alarm.Name());
        }

        WriteWarnings(json, preview);
    }

    static void WriteWarnings(Utf8JsonWriter json, in ReadyPreview preview)
    {
        int nonFinite = preview.Picture.NonFiniteCount;
        if (nonFinite > 0 || preview.Alarm is not null || preview.Warning is not null)
        {
            json.WritePropertyName("warnings");
            json.WriteStartArray();
            if (nonFinite > 0)
            {
                json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{nonFinite} values were NaN or infinite"));
            }
            else if (preview.Alarm is { } alarm)
            {
                json.WriteStringValue(alarm.Sentence());
            }

            if (preview.Warning is { } warning)
            {
                json.WriteStringValue(warning);
            }

            json.WriteEndArray();
        }
    }

    static void WriteId(Utf8JsonWriter json, object? id)
    {
        json.WritePropertyName("id");
        if (id is long number)
        {
            json.WriteNumberValue(number);
        }
        else
        {
            json.WriteStringValue((string?)id);
        }
    }

    Utf8JsonWriter BeginNotification(string method)
    {
        Utf8JsonWriter json = Begin();
        json.WritePropertyName("method");
        json.WriteStringValue(method);
        json.WritePropertyName("params");
        json.WriteStartObject();
        return json;
    }

    Utf8JsonWriter Begin()
    {
        _line.ResetWrittenCount();
        _json.Reset(_line);
        _json.WriteStartObject();
        _json.WriteString("jsonrpc"u8, "2.0"u8);
        return _json;
    }

    void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.Flush();
        _line.Write("\n"u8);
        output(_line.WrittenMemory);
    }
}
