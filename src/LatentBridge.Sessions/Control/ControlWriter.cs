using System.Globalization;
using System.Text;
using LatentBridge.Previews;
using Newtonsoft.Json;

namespace LatentBridge.Sessions.Control;

/// <summary>Writes the host's lines, one whole line per call of the output. Safe from any thread.</summary>
/// <remarks>
/// A line goes straight out on the caller's thread; nothing is queued, so a reader that stopped costs no memory here. It blocks
/// once the pipe's own buffer is full, which holds hundreds of lines where at most a few dozen can be open (slots bound them).
/// </remarks>
sealed class ControlWriter(Action<ReadOnlyMemory<byte>> output) : IDisposable
{
    readonly Lock _gate = new();
    readonly LineBytes _line = new();
    JsonTextWriter? _json;

    public void Result(object? id, Action<JsonTextWriter> writeResult)
    {
        lock (_gate)
        {
            JsonTextWriter json = Begin();
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
            JsonTextWriter json = Begin();
            WriteId(json, id);
            json.WritePropertyName("error");
            json.WriteStartObject();
            json.WritePropertyName("code");
            json.WriteValue(code);
            json.WritePropertyName("message");
            json.WriteValue(message);
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
            JsonTextWriter json = BeginNotification("released");
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
            JsonTextWriter json = BeginNotification(method);
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
            JsonTextWriter json = BeginNotification("ready");
            WritePreview(json, preview);
            json.WriteEndObject();
            End(json);
        }
    }

    public void Decoded(object? id, in ReadyPreview preview)
    {
        lock (_gate)
        {
            JsonTextWriter json = Begin();
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
            JsonTextWriter json = BeginNotification("dropped");
            Member(json, "sequence", (long)dropped.Sequence);
            json.WritePropertyName("reason");
            json.WriteValue(dropped.Reason.Name());
            if (dropped.Detail is not null)
            {
                json.WritePropertyName("detail");
                json.WriteValue(dropped.Detail);
            }

            if (dropped.NeededByteLength > 0)
            {
                Member(json, "needed", dropped.NeededByteLength);
            }

            json.WriteEndObject();
            End(json);
        }
    }

    public static void Member(JsonTextWriter json, string name, long value)
    {
        json.WritePropertyName(name);
        json.WriteValue(value);
    }

    public static void Member(JsonTextWriter json, string name, string? value)
    {
        json.WritePropertyName(name);
        json.WriteValue(value);
    }

    /// <summary>A real number with at most three decimals; null stays null.</summary>
    public static void Real(JsonTextWriter json, string name, double? value)
    {
        json.WritePropertyName(name);
        if (value is { } real && double.IsFinite(real))
        {
            json.WriteValue(Math.Round(real, 3));
        }
        else
        {
            json.WriteNull();
        }
    }

    public void Dispose()
    {
        (_json as IDisposable)?.Dispose();
        _line.Dispose();
    }

    static void WritePreview(JsonTextWriter json, in ReadyPreview preview)
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

        if (picture.NonFiniteCount > 0 || preview.Warning is not null)
        {
            json.WritePropertyName("warnings");
            json.WriteStartArray();
            if (picture.NonFiniteCount > 0)
            {
                json.WriteValue(string.Create(CultureInfo.InvariantCulture, $"{picture.NonFiniteCount} values were NaN or infinite"));
            }

            if (preview.Warning is { } warning)
            {
                json.WriteValue(warning);
            }

            json.WriteEndArray();
        }
    }

    static void WriteId(JsonTextWriter json, object? id)
    {
        json.WritePropertyName("id");
        if (id is long number)
        {
            json.WriteValue(number);
        }
        else
        {
            json.WriteValue((string?)id);
        }
    }

    JsonTextWriter BeginNotification(string method)
    {
        JsonTextWriter json = Begin();
        json.WritePropertyName("method");
        json.WriteValue(method);
        json.WritePropertyName("params");
        json.WriteStartObject();
        return json;
    }

    JsonTextWriter Begin()
    {
        // One writer for all lines: it can begin anew after each whole value.
        _json ??= new JsonTextWriter(_line) { ArrayPool = CharacterPool.Instance, CloseOutput = false };
        _line.Clear();
        _json.WriteStartObject();
        _json.WritePropertyName("jsonrpc");
        _json.WriteValue("2.0");
        return _json;
    }

    void End(JsonTextWriter json)
    {
        json.WriteEndObject();
        _line.Write('\n');
        output(_line.Written);
    }

    /// <summary>What the JSON writer writes, as UTF-8. Characters outside ASCII arrive in whole strings.</summary>
    sealed class LineBytes : TextWriter
    {
        byte[] _bytes = new byte[1024];
        int _length;

        public override Encoding Encoding => Encoding.UTF8;

        public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

        public void Clear() => _length = 0;

        public override void Write(char value) => Write(new ReadOnlySpan<char>(in value));

        public override void Write(string? value) => Write(value.AsSpan());

        public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

        public override void Write(ReadOnlySpan<char> buffer)
        {
            int room = Encoding.UTF8.GetMaxByteCount(buffer.Length);
            if (_bytes.Length - _length < room)
            {
                Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + room));
            }

            _length += Encoding.UTF8.GetBytes(buffer, _bytes.AsSpan(_length));
        }
    }
}
